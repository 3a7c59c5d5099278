"""Rules that see every gradient: GradDrop, MoCo, ExcessMTL and DB-MTL."""

from __future__ import annotations

import math

import pytest
import torch
from torchjd import aggregation

from fairbench.weighting import Step

DTYPE = torch.float64
RULES = ["graddrop", "moco", "excess-mtl", "db-mtl"]


def tensor(*values):
    return torch.tensor(values, dtype=DTYPE)


def begun(rule, jacobian):
    """The rule's first state, for one trial or a stack."""
    tasks, parameters = jacobian.shape[-2:]
    state = {**rule.initial_state(tasks), **rule.gradient_state(tasks, parameters)}
    lead = jacobian.shape[:-2]
    return {name: t.to(jacobian.dtype).expand(*lead, *t.shape) for name, t in state.items()}


def step_of(jacobian, losses, state, noise=None):
    return Step(
        losses=torch.ones(jacobian.shape[:-1], dtype=DTYPE) if losses is None else losses,
        tradeoff=torch.full(jacobian.shape[:-2], math.nan, dtype=DTYPE),
        state=state,
        parameters={},
        signals={},
        jacobian=jacobian,
        noise=noise,
    )


def asked(rule, jacobian, losses=None, *, noise=None, steps=1):
    """Direction, weights and state after so many steps over the same gradients."""
    state = begun(rule, jacobian)
    if rule.noisy and noise is None:
        noise = torch.zeros_like(jacobian[..., 0, :])
    for _ in range(steps):
        direction, weights, state = rule.direction(step_of(jacobian, losses, state, noise))
    return direction, weights, state


@pytest.mark.parametrize("name", RULES)
def test_numbering_of_tasks_does_not_matter(name, rule, draw):
    gradients, losses = draw(10, 3), draw(10, 3, seed=1)[..., 0].exp()
    order = [2, 0, 1]
    plain, weights, _ = asked(rule(name), gradients, losses, steps=3)
    moved, others, _ = asked(rule(name), gradients[:, order], losses[:, order], steps=3)
    torch.testing.assert_close(moved, plain)
    torch.testing.assert_close(others, weights[:, order])


@pytest.mark.parametrize("name", RULES)
@pytest.mark.parametrize("tasks", [2, 3, 9])
def test_equal_gradients_have_equal_weights(name, tasks, rule, draw):
    gradients = draw(10, 1).expand(10, tasks, 6)
    direction, weights, _ = asked(rule(name), gradients, steps=3)
    torch.testing.assert_close(weights, weights.mean(-1, keepdim=True).expand_as(weights))
    cosine = torch.cosine_similarity(direction, gradients[:, 0], dim=-1)
    torch.testing.assert_close(cosine, torch.ones_like(cosine))


@pytest.mark.parametrize("name", RULES)
@pytest.mark.parametrize("tasks", [1, 2, 3])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_zero_gradients_and_losses_have_a_finite_answer(name, tasks, dtype, rule, draw):
    gradients = draw(4, tasks).to(dtype)
    gradients[1] = 0
    gradients[2, 0] = 0
    losses = torch.ones(4, tasks, dtype=dtype)
    losses[1:3, 0] = 0
    for result in asked(rule(name), gradients, losses, steps=3)[:2]:
        assert torch.isfinite(result).all()
        assert result.dtype == dtype
    assert (asked(rule(name), gradients, losses)[0][1] == 0).all()


# ---- GradDrop


def drawn(rule, gradients, count, **options):
    noise = torch.randn(
        count, gradients.shape[-1], generator=torch.Generator().manual_seed(0), dtype=DTYPE
    )
    rows = gradients.expand(count, *gradients.shape)
    return asked(rule("graddrop", **options), rows, noise=noise)


def test_graddrop_is_unbiased_with_the_variance_of_its_signs(rule, draw):
    gradients = draw(1, 3)[0]
    found, weights, _ = drawn(rule, gradients, 20_000)
    total = gradients.sum(0)
    positive, negative = gradients.clamp_min(0).sum(0), gradients.clamp_max(0).sum(0).neg()
    spread = (positive * negative).sqrt()
    assert ((found.mean(0) - total).abs() <= 4 * spread / math.sqrt(len(found)) + 1e-12).all()
    torch.testing.assert_close(found.var(0), positive * negative, rtol=0.1, atol=1e-12)
    assert (weights == 1).all()


def test_graddrop_without_conflict_or_with_a_whole_leak_is_the_sum(rule, draw):
    gradients = draw(1, 2)[0]
    alike = gradients.abs() * gradients[0].sign()
    assert torch.equal(drawn(rule, alike, 100)[0], alike.sum(0).expand(100, -1))
    found = drawn(rule, gradients, 100, leak=1.0)[0]
    torch.testing.assert_close(found, gradients.sum(0).expand(100, -1))


def test_graddrop_is_torchjds_for_the_same_uniform_numbers(rule, draw, monkeypatch):
    gradients, noise = draw(20, 3), draw(20, 1, seed=4)[:, 0]
    for leak in (0.0, 0.3):
        oracle = aggregation.GradDrop(leak=torch.full((3,), leak, dtype=DTYPE))
        found, _, _ = asked(rule("graddrop", leak=leak), gradients, noise=noise)
        for rows, normal, mine in zip(gradients, noise, found, strict=True):
            uniform = torch.special.ndtr(normal)
            with monkeypatch.context() as patch:
                patch.setattr(torch, "rand", lambda *_, u=uniform, **__: u)
                torch.testing.assert_close(mine, oracle(rows))


# ---- MoCo


def test_moco_in_numbers(rule):
    gradients = tensor([3.0, 4.0], [0.0, 2.0])
    raw, weights, state = asked(rule("moco", raw=True, gamma=0.0), gradients)
    torch.testing.assert_close(state["average"], gradients / 2)
    assert weights.tolist() == [0.5, 0.5]
    torch.testing.assert_close(raw, gradients.mean(0) / 2)
    _, _, state = asked(rule("moco", gamma=0.0, warm=True), gradients, tensor(10.0, 1.0))
    torch.testing.assert_close(state["average"], tensor([6.0, 8.0], [0.0, 1.0]))
    _, _, state = asked(rule("moco", raw=True, beta=1.0), gradients)
    torch.testing.assert_close(state["average"], gradients)


def test_moco_comes_to_mgda_of_its_average(rule, draw, weigh):
    gradients = draw(10, 2)
    options = {"raw": True, "beta": 1.0, "gamma": 0.5}
    _, weights, state = asked(rule("moco", **options), gradients, steps=1500)
    torch.testing.assert_close(state["average"], gradients)
    expected = weigh("mgda", gradients @ gradients.mT)
    torch.testing.assert_close(weights, expected, rtol=1e-2, atol=1e-2)


def test_moco_is_pulled_to_equal_weights(rule, draw):
    gradients = draw(10, 3)
    _, weights, _ = asked(rule("moco", rho=1e4, gamma=1e-5), gradients, steps=200)
    torch.testing.assert_close(weights, torch.full_like(weights, 1 / 3), rtol=0, atol=1e-3)


def test_softmax_keeps_moco_near_equal_weights(rule):
    """Zero gradients, from (0.99, 0.01), with the reference code's projection and with Π."""
    rows = torch.zeros(2, 3, dtype=DTYPE)
    for projection, expected in (
        ("softmax", [0.727, 0.612, 0.556]), ("simplex", [0.99, 0.99, 0.99])
    ):  # fmt: skip
        one, found = rule("moco", projection=projection), []
        state = {**begun(one, rows), "shares": tensor(0.99, 0.01)}
        for _ in range(3):
            _, weights, state = one.direction(step_of(rows, None, state))
            found.append(weights[0].item())
        assert found == pytest.approx(expected, abs=1e-3)


# ---- ExcessMTL


def test_excess_mtl_in_numbers(rule, draw):
    """Constant gradients: the excess is the 1-norm first, and falls like 1/√k for every task."""
    gradients = draw(5, 3) * tensor(1, 100, 0.01)[:, None]
    _, weights, state = asked(rule("excess-mtl", rate=1.0), gradients)
    torch.testing.assert_close(state["first"], gradients.abs().sum(-1), rtol=1e-2, atol=1e-6)
    assert weights.tolist() == [[pytest.approx(1.0)] * 3] * 5
    _, weights, _ = asked(rule("excess-mtl", rate=1.0), gradients, steps=10)
    torch.testing.assert_close(weights, torch.ones_like(weights), rtol=1e-2, atol=1e-2)


def test_excess_mtl_is_torchjds_with_one_step_of_warm_up(rule, draw):
    one = rule("excess-mtl", rate=0.7)
    oracle = aggregation.ExcessMTLWeighting(robust_step_size=0.7, n_warmup_steps=1)
    rows = draw(20, 3, seed=5)
    state = begun(one, rows[0])
    for number, jacobian in enumerate(rows):
        weights, state = one.weights(step_of(jacobian, None, state))
        theirs = oracle(jacobian)
        if number:  # it begins with weights of its own
            torch.testing.assert_close(weights / 3, theirs / theirs.sum(), rtol=1e-9, atol=1e-12)


def test_a_task_that_has_converged_loses_weight(rule, draw):
    one, rows = rule("excess-mtl", rate=0.5), draw(30, 2, seed=6)
    rows[10:, 0] = 0
    state = begun(one, rows[0])
    for jacobian in rows:
        weights, state = one.weights(step_of(jacobian, None, state))
    assert weights[0] < 0.8 < weights[1]


def test_weights_of_excess_mtl_do_not_overflow(rule, draw):
    one, rows = rule("excess-mtl", rate=1000.0), draw(1, 2)[0]
    _, weights, _ = asked(one, rows, steps=2000)
    assert torch.isfinite(weights).all()
    assert weights.sum().item() == pytest.approx(2)


# ---- DB-MTL


def test_db_mtl_without_a_memory_is_the_bisector(rule, draw):
    gradients, losses = draw(50, 2), draw(50, 2, seed=1)[..., 0].exp()
    direction, weights, _ = asked(rule("db-mtl", beta=0.0), gradients, losses)
    lengths = gradients.norm(dim=-1)
    units = gradients / lengths[..., None]
    longest = (lengths / losses).amax(-1)
    torch.testing.assert_close(direction, longest[:, None] * units.sum(-2))
    cosine = (units[:, 0] * units[:, 1]).sum(-1)
    torch.testing.assert_close(direction.norm(dim=-1), longest * (2 * (1 + cosine)).sqrt())
    torch.testing.assert_close(weights, 1 / losses)


@pytest.mark.parametrize("beta", [0.0, 0.9])
def test_the_unit_of_a_loss_does_not_matter_to_db_mtl(beta, rule, draw):
    gradients, losses = draw(10, 3), draw(10, 3, seed=1)[..., 0].exp()
    factors = tensor(1, 1e6, 1e-6)
    plain, _, _ = asked(rule("db-mtl", beta=beta), gradients, losses, steps=4)
    scaled, _, _ = asked(
        rule("db-mtl", beta=beta), gradients * factors[:, None], losses * factors, steps=4
    )
    torch.testing.assert_close(scaled, plain)


@pytest.mark.parametrize("sigma", [0.0, 0.5])
def test_the_moving_average_of_db_mtl(sigma, rule, draw):
    one, rows = rule("db-mtl", sigma=sigma), draw(6, 2, seed=2)
    state, average = begun(one, rows[0]), torch.zeros(2, 6, dtype=DTYPE)
    for number, jacobian in enumerate(rows, 1):
        direction, _, state = one.direction(step_of(jacobian, None, state))
        average = jacobian + 0.9 / number**sigma * (average - jacobian)
        lengths = average.norm(dim=-1)
        expected = (average * (lengths.max() / lengths)[:, None]).sum(0)
        torch.testing.assert_close(direction, expected)


def test_one_task_of_db_mtl_is_its_logarithm(rule, draw):
    gradients = draw(5, 1)
    losses = torch.full((5, 1), 4.0, dtype=DTYPE)
    direction, weights, _ = asked(rule("db-mtl", beta=0.0), gradients, losses)
    torch.testing.assert_close(direction, gradients[:, 0] / 4)
    assert (weights == 0.25).all()


def test_what_bounds_db_mtl(rule, draw):
    """A loss that vanishes counts as a thousandth of its first value; a gradient, as 10⁻⁴."""
    one, rows = rule("db-mtl", beta=0.0), draw(2, 2)
    rows[1, 1] *= 1e-9
    state = begun(one, rows[0])
    _, weights, state = one.direction(step_of(rows[0], tensor(2, 1), state))
    assert weights.tolist() == [0.5, 1.0]
    direction, weights, _ = one.direction(step_of(rows[1], tensor(0, 1), state))
    assert weights.tolist() == [500.0, 1.0]
    expected = 500 * rows[1, 0] + 1e4 * rows[1, 1]
    torch.testing.assert_close(direction, expected)
