"""Zero, equal, collinear and opposed gradients; tiny and huge ones; the numbering of tasks."""

from __future__ import annotations

import math

import pytest
import torch

from fairbench_weightings import fairbench_weightings

GRAMIAN_RULES = [
    "mgda", "pcgrad", "gradvac", "cagrad", "imtl-g", "nash-mtl", "fairgrad", "aligned-mtl",
    "upgrad", "dualproj", "config", "gradnorm", "sdmgrad", "modo",
]  # fmt: skip
GENERAL = [n for n in GRAMIAN_RULES if n != "gradvac"]  # which draws the order of its tasks
# How weights answer to gradients scaled by s: w(s) = w(1)·s^degree.
DEGREES = {"nash-mtl": -1.0, "fairgrad": -4 / 3}
ROOT = math.sqrt(2)

# Documented answers in docs/weightings.md. Gradients are multiples (a, b) of one unit vector.
LINES = {
    "all zero": (0.0, 0.0),
    "second zero": (2.0, 0.0),
    "equal": (2.0, 2.0),
    "collinear": (4.0, 1.0),
    "opposed": (2.0, -2.0),
}
ANSWERS = {
    "mgda": [(0.5, 0.5), (0, 1), (0.5, 0.5), (0, 1), (0.5, 0.5)],
    "pcgrad": [(1, 1), (1, 1), (1, 1), (1, 1), (2, 2)],
    "gradvac": [(1, 1), (1, 1), (1, 1), (1, 1), (2, 2)],
    "cagrad": [(0.5, 0.5), (0.5, 0.5), (0.5, 1), (0.5, 1.75), (0.5, 0.5)],
    "imtl-g": [(0.5, 0.5), (0, 1), (0.5, 0.5), (0.2, 0.8), (0.5, 0.5)],
    "nash-mtl": [(1, 1), (0.5, 1), (0.5 / ROOT, 0.5 / ROOT), (0.25 / ROOT, 1 / ROOT), None],
    "fairgrad": [
        (1, 1), (2 ** (-4 / 3), 1), (0.25, 0.25), (80 ** (-2 / 3), 16 * 80 ** (-2 / 3)), None,
    ],
    "aligned-mtl": [(1, 1), (1, 0), (1, 1), (20 / 17, 5 / 17), (0, 0)],
    "upgrad": [(0.5, 0.5), (0.5, 0.5), (0.5, 0.5), (0.5, 0.5), (1, 1)],
    "dualproj": [(0.5, 0.5), (0.5, 0.5), (0.5, 0.5), (0.5, 0.5), (0.5, 0.5)],
    "config": [(1, 1), (1, 1), (1, 1), (0.625, 2.5), (1, 1)],
    "gradnorm": [(1, 1)] * 5,
    "sdmgrad": [
        (0.5, 0.5), (0.15 / 1.3, 1.15 / 1.3), (0.5, 0.5), (0.15 / 1.3, 1.15 / 1.3), (0.5, 0.5),
    ],
    "modo": [(0.5, 0.5), (0.499, 0.501), (0.5, 0.5), (0.49625, 0.50375), (0.5, 0.5)],
}  # fmt: skip


# The same for three tasks, as gradients in the plane or in space; a, b and c are unit vectors that
# are orthogonal to each other. They hold the answers for two tasks: tasks that are alike share.
_A, _B = torch.eye(3, dtype=torch.float64)[:2]
THREE = {
    "all zero": (0 * _A, 0 * _A, 0 * _A),
    "two zero": (2 * _A, 0 * _A, 0 * _A),
    "one zero": (2 * _A, 0 * _A, 2 * _A),
    "equal": (2 * _A, 2 * _A, 2 * _A),
    "collinear": (4 * _A, _A, 2 * _A),
    "two equal": (2 * _A, 2 * _A, 2 * _B),
    "opposed": (2 * _A, -2 * _A, _B),
    "opposed to two": (2 * _A, -2 * _A, 2 * _A),
}
THIRD = (1 / 3,) * 3
ANSWERS_OF_THREE = {
    "mgda": [
        THIRD, (0, 0.5, 0.5), (0, 1, 0), THIRD, (0, 1, 0), (0.25, 0.25, 0.5), (0.5, 0.5, 0),
        (0.25, 0.5, 0.25),
    ],
    "cagrad": [
        THIRD, THIRD, THIRD, (0.5, 0.5, 0.5), (1 / 3, 1.5, 1 / 3), None, THIRD, None,
    ],
    "imtl-g": [
        THIRD, (0, 0.5, 0.5), (0, 1, 0), THIRD, (1 / 7, 4 / 7, 2 / 7), (0.25, 0.25, 0.5),
        (0.5, 0.5, 0), (0.25, 0.5, 0.25),
    ],
    "nash-mtl": [
        (1, 1, 1), (0.5, 1, 1), (0.5 / ROOT, 1, 0.5 / ROOT), (0.5 / 3**0.5,) * 3,
        (0.25 / 3**0.5, 1 / 3**0.5, 0.5 / 3**0.5), (0.5 / ROOT, 0.5 / ROOT, 0.5), (50, 50, 1),
        (25, 50, 25),
    ],
    "upgrad": [THIRD] * 6 + [(2 / 3, 2 / 3, 1 / 3), (0.5, 1, 0.5)],
    "dualproj": [THIRD] * 7 + [(1 / 3, 2 / 3, 1 / 3)],
    "config": [
        (1, 1, 1), (1, 1, 1), (1, 1, 1), (1, 1, 1), (7 / 12, 7 / 3, 7 / 6), (0.75, 0.75, 1.5),
        (0.5, 0.5, 1), (7 / 3, 11 / 3, 7 / 3),
    ],
    "pcgrad": [(1, 1, 1)] * 6 + [(2, 2, 1), (1.5, 3, 1.5)],
    "fairgrad": [
        (1, 1, 1), (2 ** (-4 / 3), 1, 1), (0.25, 1, 0.25), (12 ** (-2 / 3),) * 3,
        tuple(w * 1.75 ** (-2 / 3) for w in (1 / 16, 1, 1 / 4)), (0.25, 0.25, 2 ** (-4 / 3)), None,
        None,
    ],
    "aligned-mtl": [
        (1, 1, 1), (1, 0, 0), (1, 0, 1), (1, 1, 1), (4 / 3, 1 / 3, 2 / 3),
        (ROOT / 2, ROOT / 2, 1), (0, 0, 1), (1 / 3, -1 / 3, 1 / 3),
    ],
    "gradnorm": [(1, 1, 1)] * 8,
    "sdmgrad": [
        THIRD, (0.1 / 1.3, 0.6 / 1.3, 0.6 / 1.3), (0.1 / 1.3, 1.1 / 1.3, 0.1 / 1.3), THIRD,
        (0.1 / 1.3, 1.1 / 1.3, 0.1 / 1.3), (0.25, 0.25, 0.5), (0.6 / 1.3, 0.6 / 1.3, 0.1 / 1.3),
        (0.25, 0.5, 0.25),
    ],
    "modo": [  # one step of 0.001 from equal weights
        tuple(1 / 3 - 0.001 * slope / 9 for slope in slopes)
        for slopes in (
            (0, 0, 0), (8, -4, -4), (8, -16, 8), (0, 0, 0), (35, -28, -7), (4, 4, -8),
            (-1, -1, 2), (8, -16, 8),
        )
    ],
}  # fmt: skip


def on_a_line(kind, dtype=torch.float64):
    return torch.tensor(LINES[kind], dtype=dtype)[:, None] * torch.tensor([0.6, 0.8], dtype=dtype)


def test_every_gramian_rule_has_documented_answers():
    offered = {d.name for d in fairbench_weightings()}
    assert set(ANSWERS) == set(GRAMIAN_RULES) <= offered


@pytest.mark.parametrize("kind", LINES)
@pytest.mark.parametrize("name", GRAMIAN_RULES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_documented_answers(name, kind, dtype, weigh):
    gradients = on_a_line(kind, dtype)
    weights = weigh(name, gradients @ gradients.mT)
    assert torch.isfinite(weights).all()
    expected = ANSWERS[name][list(LINES).index(kind)]
    if expected is not None:
        assert weights.tolist() == pytest.approx(list(map(float, expected)), rel=2e-3, abs=1e-4)


@pytest.mark.parametrize("kind", THREE)
@pytest.mark.parametrize("name", GENERAL)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_documented_answers_of_three_tasks(name, kind, dtype, weigh):
    gradients = torch.stack(THREE[kind]).to(dtype)
    weights = weigh(name, gradients @ gradients.mT)
    assert torch.isfinite(weights).all()
    expected = ANSWERS_OF_THREE[name][list(THREE).index(kind)]
    if expected is not None:
        assert weights.tolist() == pytest.approx(list(map(float, expected)), rel=2e-3, abs=1e-4)


@pytest.mark.parametrize("tasks", [3, 4, 5])
@pytest.mark.parametrize("name", GENERAL)
def test_equal_gradients_have_equal_weights(name, tasks, weigh, draw):
    if name == "pcgrad" and tasks > 4:
        return
    gradients = draw(20, 1).expand(20, tasks, 6)
    weights = weigh(name, gradients @ gradients.mT)
    assert weights.min() > 0
    torch.testing.assert_close(
        weights, weights.mean(-1, keepdim=True).expand_as(weights), rtol=2e-3, atol=0
    )


@pytest.mark.parametrize("tasks", [2, 3, 4])
@pytest.mark.parametrize("off", [0.0, 1e-9, 1e-6, 1e-3])
@pytest.mark.parametrize(("name", "most"), [("nash-mtl", 100.0), ("fairgrad", 500.0)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_weights_of_opposed_gradients_are_bounded(name, most, off, tasks, dtype, weigh, draw):
    """Of unit length; what orthogonal ones get is 1."""
    first = draw(50, tasks)[..., 0, :]
    others = draw(50, tasks, seed=1)[..., 2:, :]
    opposed = -first + off * draw(50, tasks, seed=2)[..., 0, :]
    gradients = torch.cat([first[:, None], opposed[:, None], others], dim=1).to(dtype)
    gradients = gradients / gradients.norm(dim=-1, keepdim=True)
    weights = weigh(name, gradients @ gradients.mT)
    assert weights.min() > 0
    assert weights.max() < 1.001 * most


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_aligned_mtl_sees_collinear_gradients_through_rounding(dtype, weigh, draw):
    lengths = torch.tensor([3.0, 1.0], dtype=dtype)[:, None]
    gradients = lengths * draw(200, 1).to(dtype)
    weights = weigh("aligned-mtl", gradients @ gradients.mT)
    expected = torch.tensor([1.2, 0.4], dtype=dtype).expand(200, 2)
    torch.testing.assert_close(weights, expected, rtol=1e-5, atol=0)


@pytest.mark.parametrize("name", ["nash-mtl", "fairgrad"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_opposed_gradients_cancel_where_no_solution_exists(name, dtype, weigh):
    gradients = on_a_line("opposed", dtype)
    weights = weigh(name, gradients @ gradients.mT)
    direction = (weights[:, None] * gradients).sum(0)
    assert direction.norm() < 2e-2 * weights.max() * gradients.norm()


@pytest.mark.parametrize("tasks", [3, 4])
@pytest.mark.parametrize("name", GENERAL)
@pytest.mark.parametrize("rank", [0, 1, 2])
def test_dependent_gradients_of_many_tasks_are_finite(name, tasks, rank, weigh, draw):
    gradients = draw(20, tasks)[..., :rank] @ draw(20, tasks, seed=1)[..., :rank, :]
    gradients[10:, 0] = 0.0
    assert torch.isfinite(weigh(name, gradients @ gradients.mT)).all()


@pytest.mark.parametrize("scale", [1e-12, 1e-6, 1e6])
@pytest.mark.parametrize("tasks", [2, 3])
@pytest.mark.parametrize("name", [name for name in GRAMIAN_RULES if name != "modo"])
def test_small_losses_behave_as_large_ones(name, tasks, scale, weigh, draw):
    if tasks > 2 and name not in GENERAL:
        return
    gradients = draw(50, tasks)
    gramian = gradients @ gradients.mT
    expected = weigh(name, gramian) * scale ** DEGREES.get(name, 0.0)
    found = weigh(name, gramian * scale**2)
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-9 * expected.max().item())


@pytest.mark.parametrize("scale", [1e-12, 1.0, 1e6])
@pytest.mark.parametrize("name", GRAMIAN_RULES)
def test_single_precision_agrees_with_double(name, scale, weigh, draw):
    gradients = draw(50, 2) * scale
    exact = weigh(name, gradients @ gradients.mT)
    rounded = gradients.float()
    found = weigh(name, rounded @ rounded.mT).double()
    torch.testing.assert_close(
        found / exact.abs().max(), exact / exact.abs().max(), rtol=1e-3, atol=1e-5
    )


@pytest.mark.parametrize("tasks", [2, 3, 4])
@pytest.mark.parametrize("name", GRAMIAN_RULES)
def test_numbering_of_tasks_does_not_matter(name, tasks, weigh, draw):
    if tasks > 2 and name not in GENERAL:
        return
    gradients = draw(30, tasks, seed=2)
    order = torch.tensor([2, 0, 3, 1])[torch.tensor([2, 0, 3, 1]) < tasks]
    plain = weigh(name, gradients @ gradients.mT)
    moved = gradients[:, order]
    found = weigh(name, moved @ moved.mT)
    torch.testing.assert_close(found, plain[:, order], rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("name", GRAMIAN_RULES)
def test_one_trial_cannot_disturb_another(name, weigh, draw):
    gradients = draw(4, 2)
    gramian = gradients @ gradients.mT
    spoilt = gramian.clone()
    spoilt[1] = float("nan")
    found = weigh(name, spoilt)
    assert torch.equal(found[[0, 2, 3]], weigh(name, gramian)[[0, 2, 3]])
