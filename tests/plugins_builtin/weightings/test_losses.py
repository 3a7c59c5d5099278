"""Rules that look at losses only."""

from __future__ import annotations

import math

import pytest
import torch

from fairbench.errors import StudyError

LOSSES = torch.tensor([0.3, 2.0], dtype=torch.float64)
NAMES = ["equal", "static", "scale-invariant", "geometric", "uncertainty", "imtl-l", "stch"]


def learned(rule, values):
    names = rule.initial_parameters(len(values))
    return {name: torch.tensor(values, dtype=torch.float64) for name in names}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("equal", 2.3),
        ("static", 0.5 * 0.3 + 2 * 2.0),
        ("scale-invariant", math.log(0.3) + math.log(2.0)),
        ("geometric", math.sqrt(0.6)),
        ("uncertainty", 0.5 * (math.exp(-0.2) * 0.3 + 0.2 + math.exp(0.7) * 2.0 - 0.7)),
        ("imtl-l", math.exp(0.2) * 0.3 - 0.2 + math.exp(-0.7) * 2.0 + 0.7),
        ("stch", math.log(math.exp(0.3) + math.exp(2.0))),
    ],
)
def test_objective_by_hand(name, expected, rule, step):
    one = rule(name)
    parameters = learned(one, [0.2, -0.7])
    value, _ = one.objective(LOSSES, step(one, losses=LOSSES, parameters=parameters))
    assert value.item() == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("name", NAMES)
def test_objective_is_differentiable(name, rule, step):
    one = rule(name)
    begin = step(one, losses=LOSSES)
    names = list(one.initial_parameters(2))
    inputs = [LOSSES.clone()] + [torch.tensor([0.2, -0.7], dtype=torch.float64) for _ in names]

    def objective(losses, *parameters):
        held = step(
            one,
            losses=losses,
            state=begin.state,
            parameters=dict(zip(names, parameters, strict=True)),
        )
        return one.objective(losses, held)[0]

    for tensor in inputs:
        tensor.requires_grad_()
    assert torch.autograd.gradcheck(objective, inputs)


@pytest.mark.parametrize(
    ("name", "best", "weighted"),
    [("uncertainty", LOSSES.log(), 0.5), ("imtl-l", -LOSSES.log(), 1.0)],
)
def test_learned_scales_have_a_closed_form_optimum(name, best, weighted, rule, step):
    one = rule(name)
    parameters = learned(one, best.tolist())
    (parameter,) = parameters.values()
    parameter.requires_grad_()
    losses = LOSSES.clone().requires_grad_()
    value, _ = one.objective(losses, step(one, losses=losses, parameters=parameters))
    by_parameter, by_loss = torch.autograd.grad(value, [parameter, losses])
    torch.testing.assert_close(by_parameter, torch.zeros_like(by_parameter))
    torch.testing.assert_close(by_loss * LOSSES, torch.full_like(LOSSES, weighted))


def test_learned_scales_begin_at_zero(rule):
    for name in ("uncertainty", "imtl-l"):
        (parameter,) = rule(name).initial_parameters(3).values()
        assert torch.equal(parameter, torch.zeros(3))


def test_static_weights_must_match_the_tasks(rule):
    with pytest.raises(StudyError, match="2 weights for 3 tasks"):
        rule("static").initial_state(3)


def test_static_weights_keep_double_precision(rule, step):
    one = rule("static", loss_weights=(0.1, 4.9))
    weights, _ = one.weights(step(one, losses=LOSSES))
    assert weights.tolist() == [0.1, 4.9]


def test_scale_invariant_ignores_units(rule, step):
    one = rule("scale-invariant")
    shares = []
    for unit in (1e-12, 1.0, 1e6):
        losses = (LOSSES * torch.tensor([unit, 1.0], dtype=torch.float64)).requires_grad_()
        value, _ = one.objective(losses, step(one, losses=losses))
        shares.append(torch.autograd.grad(value, losses)[0] * losses.detach())
    torch.testing.assert_close(shares[0], shares[1])
    torch.testing.assert_close(shares[2], shares[1])


@pytest.mark.parametrize("name", ["scale-invariant", "geometric"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_zero_loss_has_no_gradient(name, dtype, rule, step):
    one = rule(name)
    losses = torch.tensor([0.0, 2.0], dtype=dtype, requires_grad=True)
    value, _ = one.objective(losses, step(one, losses=losses))
    (gradient,) = torch.autograd.grad(value, losses)
    assert torch.isfinite(value)
    assert gradient[0] == 0
    assert torch.isfinite(gradient[1])
    assert gradient[1] > 0


def test_geometric_mean_of_tiny_losses_does_not_vanish(rule, step):
    one = rule("geometric")
    losses = torch.full((2,), 1e-30)
    assert one.objective(losses, step(one, losses=losses))[0].item() == pytest.approx(1e-30)


def test_random_weights_follow_the_noise(rule, step):
    one = rule("random")
    noise = torch.tensor([[0.0, math.log(3.0)], [5.0, 5.0]], dtype=torch.float64)
    weights, _ = one.weights(step(one, losses=LOSSES.expand(2, 2), noise=noise))
    expected = torch.tensor([[0.25, 0.75], [0.5, 0.5]], dtype=torch.float64)
    torch.testing.assert_close(weights, expected)
    assert one.noisy


def test_stch_lies_between_the_maximum_and_its_bound(rule, step):
    for mu in (0.01, 0.1, 1.0):
        one = rule("stch", mu=mu)
        value, _ = one.objective(LOSSES, step(one, losses=LOSSES))
        assert 2.0 <= value <= 2.0 + mu * math.log(2)


def test_dwa_by_hand(rule, step):
    one = rule("dwa")
    begin = step(one, losses=LOSSES)
    epochs = torch.tensor([[1.0, 4.0], [0.5, 3.0], [0.4, 0.3]], dtype=torch.float64)
    state, seen = begin.state, []
    for losses in epochs:
        weights, state = one.weights(step(one, losses=LOSSES, state=state))
        seen.append(weights)
        state = one.epoch_end(losses, state)
    seen.append(one.weights(step(one, losses=LOSSES, state=state))[0])
    assert torch.equal(seen[0], torch.ones(2, dtype=torch.float64))
    assert torch.equal(seen[1], torch.ones(2, dtype=torch.float64))
    for weights, ratios in ((seen[2], (0.5, 0.75)), (seen[3], (0.8, 0.1))):
        shares = [math.exp(ratio / 2.0) for ratio in ratios]
        assert weights.tolist() == pytest.approx([2 * s / sum(shares) for s in shares], rel=1e-12)


def test_dwa_after_a_loss_of_zero_takes_a_rate_of_one(rule):
    one = rule("dwa", temperature=1.0)
    state = one.initial_state(2)
    for losses in ([0.0, 1.0], [3.0, 1.0]):
        state = one.epoch_end(torch.tensor(losses), state)
    assert torch.equal(state["weights"], torch.ones(2))
