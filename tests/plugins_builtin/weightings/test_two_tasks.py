"""Closed forms for two tasks, by their defining properties, on gradients hypothesis chooses."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

angles = st.floats(0.05, math.pi - 0.05)
norms = st.floats(1e-3, 1e3)
tight = settings(max_examples=60, deadline=None)

NON_CONFLICTING = [
    "mgda", "pcgrad", "upgrad", "dualproj", "imtl-g", "nash-mtl", "fairgrad", "config",
]  # fmt: skip


def pair(first, second, angle):
    """Two plane gradients of given norms and angle between them."""
    return torch.tensor(
        [[first, 0.0], [second * math.cos(angle), second * math.sin(angle)]], dtype=torch.float64
    )


def update(weights, gradients):
    return (weights[..., None] * gradients).sum(-2)


def rise(direction, gradients):
    """Cosines of the update with the gradients."""
    return (gradients @ direction) / gradients.norm(dim=-1) / direction.norm().clamp_min(1e-300)


@pytest.mark.parametrize("name", NON_CONFLICTING)
@tight
@given(norms, norms, angles)
def test_no_task_is_worsened(name, weigh, first, second, angle):
    gradients = pair(first, second, angle)
    direction = update(weigh(name, gradients @ gradients.mT), gradients)
    assert rise(direction, gradients).min() > -1e-9


@tight
@given(norms, norms, angles)
def test_mgda_is_the_shortest_point_of_the_segment(weigh, first, second, angle):
    gradients = pair(first, second, angle)
    weights = weigh("mgda", gradients @ gradients.mT)
    assert weights.sum().item() == pytest.approx(1)
    assert weights.min() >= 0
    direction = update(weights, gradients)
    shortest = direction @ direction
    assert (gradients @ direction - shortest).min() > -1e-9 * gradients.norm() ** 2


@tight
@given(norms, norms, angles)
def test_pcgrad_is_two_projections_and_twice_upgrad(weigh, first, second, angle):
    gradients = pair(first, second, angle)
    gramian = gradients @ gradients.mT
    projected = gradients.clone()
    for i, j in ((0, 1), (1, 0)):
        inner = gradients[i] @ gradients[j]
        if inner < 0:
            projected[i] -= inner / gradients[j].square().sum() * gradients[j]
    weights = weigh("pcgrad", gramian)
    torch.testing.assert_close(update(weights, gradients), projected.sum(0), rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(weights, 2 * weigh("upgrad", gramian), rtol=1e-14, atol=0)


@tight
@given(norms, norms, angles, st.sampled_from([0.0, 0.2, 0.5, 0.9]))
def test_cagrad_closes_the_duality_gap(weigh, first, second, angle, c):
    gradients = pair(first, second, angle)
    mean = gradients.mean(0)
    radius = c * mean.norm()
    weights = weigh("cagrad", gradients @ gradients.mT, c=c)
    direction = update(weights, gradients)
    assert (direction - mean).norm() <= radius * (1 + 1e-6) + 1e-12 * gradients.norm()
    primal = (gradients @ direction).min()
    added = weights - 0.5
    if c == 0:
        torch.testing.assert_close(added, torch.zeros_like(added))
        return
    assume(radius > 1e-9 * gradients.norm())
    assert added.min() >= 0
    mixed = update(added / added.sum(), gradients)
    dual = mixed @ mean + radius * mixed.norm()
    assert primal.item() == pytest.approx(dual.item(), abs=1e-7 * gradients.norm().item() ** 2)


@tight
@given(norms, norms, angles)
def test_same_direction_of_the_impartial_rules(weigh, first, second, angle):
    gradients = pair(first, second, angle)
    gramian = gradients @ gradients.mT
    units = gradients / gradients.norm(dim=-1, keepdim=True)
    bisector = units.sum(0) / units.sum(0).norm()
    for name, options in (
        ("imtl-g", {}),
        ("nash-mtl", {}),
        ("config", {}),
        ("fairgrad", {"alpha": 1.0}),
    ):
        direction = update(weigh(name, gramian, **options), gradients)
        torch.testing.assert_close(direction / direction.norm(), bisector, rtol=1e-7, atol=1e-7)


@tight
@given(norms, norms, angles)
def test_lengths_of_the_impartial_rules(weigh, first, second, angle):
    gradients = pair(first, second, angle)
    gramian = gradients @ gradients.mT
    assert weigh("imtl-g", gramian).sum().item() == pytest.approx(1)
    nash = weigh("nash-mtl", gramian)
    assert (nash * (gramian @ nash)).tolist() == pytest.approx([1, 1], rel=1e-9)
    config = update(weigh("config", gramian), gradients)
    unit = config / config.norm()
    assert config.norm().item() == pytest.approx((gradients @ unit).sum().item(), rel=1e-9)


@pytest.mark.parametrize("alpha", [0.5, 1.0, 2.0, 5.0])
@tight
@given(norms, norms, angles)
def test_fairgrad_solves_its_equation(weigh, alpha, first, second, angle):
    gradients = pair(first, second, angle)
    gramian = gradients @ gradients.mT
    weights = weigh("fairgrad", gramian, alpha=alpha)
    expected = weights ** (-1 / alpha)
    assert ((gramian @ weights) / expected).tolist() == pytest.approx([1, 1], rel=1e-6)


@tight
@given(norms, norms, angles)
def test_aligned_mtl_is_the_matrix_formula(weigh, first, second, angle):
    gradients = pair(first, second, angle)
    _, singular, right = torch.linalg.svd(gradients.T, full_matrices=False)
    gramian = gradients @ gradients.mT
    assume(singular[1] > 1e-5 * singular[0])
    balanced = right.T @ torch.diag(singular[1] / singular) @ right
    expected = balanced.sum(-1)
    found = weigh("aligned-mtl", gramian)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)


@tight
@given(norms, norms, angles)
def test_dualproj_is_the_shortest_above_the_mean(weigh, first, second, angle):
    gradients = pair(first, second, angle)
    weights = weigh("dualproj", gradients @ gradients.mT)
    slope = gradients @ update(weights, gradients)
    scale = gradients.norm() ** 2
    assert weights.min() >= 0.5
    assert slope.min() > -1e-9 * scale
    assert ((weights - 0.5) * slope).abs().max() < 1e-9 * scale * weights.max()


@tight
@given(norms, norms, angles, st.floats(-0.9, 0.9))
def test_gradvac_lifts_the_cosine_to_its_target(rule, step, first, second, angle, target):
    gradients = pair(first, second, angle)
    one = rule("gradvac")
    state = {"target": torch.tensor([target], dtype=torch.float64)}
    weights, after = one.weights(step(one, gramian=gradients @ gradients.mT, state=state))
    phi = math.cos(angle)
    assert after["target"].item() == pytest.approx(0.5 * target + 0.5 * phi, abs=1e-9)
    if phi >= target:
        assert weights.tolist() == pytest.approx([1, 1])
        return
    for i, j in ((0, 1), (1, 0)):
        lifted = gradients[i] + (weights[j] - 1) * gradients[j]
        cosine = lifted @ gradients[j] / lifted.norm() / gradients[j].norm()
        assert cosine.item() == pytest.approx(target, abs=1e-6)


def test_gradvac_leaves_a_zero_gradient_alone(rule, step):
    gramian = torch.diag(torch.tensor([4.0, 0.0], dtype=torch.float64))
    one = rule("gradvac")
    state = {"target": torch.tensor([0.5], dtype=torch.float64)}
    weights, after = one.weights(step(one, gramian=gramian, state=state))
    assert weights.tolist() == [1.0, 1.0]
    assert after["target"].tolist() == [0.25]


def test_gradvac_begins_as_pcgrad(weigh, draw):
    gradients = draw(50, 2)
    gramian = gradients @ gradients.mT
    torch.testing.assert_close(weigh("gradvac", gramian), weigh("pcgrad", gramian))
