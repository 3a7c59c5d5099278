"""GradNorm: its own objective, its own step."""

from __future__ import annotations

import pytest
import torch

from fairbench_weightings.gradnorm import gradnorm_gradient, training_rates

LOGITS = torch.tensor([0.2, -0.4, 0.1], dtype=torch.float64)
NORMS = torch.tensor([0.5, 2.0, 1.1], dtype=torch.float64)
RATES = torch.tensor([1.2, 0.7, 1.1], dtype=torch.float64)


def test_gradient_of_its_own_objective():
    def weighted(logits):
        return 3 * logits.softmax(-1) * NORMS

    target = weighted(LOGITS).mean() * RATES  # held constant

    def objective(logits):
        return (weighted(logits) - target).abs().sum()

    size = 1e-6
    moves = torch.eye(3, dtype=torch.float64) * size
    numeric = torch.stack(
        [(objective(LOGITS + m) - objective(LOGITS - m)) / (2 * size) for m in moves]
    )
    torch.testing.assert_close(gradnorm_gradient(LOGITS, NORMS, RATES), numeric, atol=1e-8, rtol=0)


def test_training_rates_by_hand():
    losses = torch.tensor([0.5, 3.0], dtype=torch.float64)
    initial = torch.tensor([1.0, 2.0], dtype=torch.float64)
    assert training_rates(losses, initial).tolist() == pytest.approx([0.5, 1.5])


def test_two_steps_by_hand(rule, step):
    """Equal weights at first; then the task with the larger gradient loses weight."""
    one = rule("gradnorm", asymmetry=0.0, rate=0.1)
    losses = torch.tensor([1.0, 1.0], dtype=torch.float64)
    gramian = torch.diag(torch.tensor([9.0, 1.0], dtype=torch.float64))
    first, state = one.weights(step(one, losses=losses, gramian=gramian))
    assert first.tolist() == [1.0, 1.0]
    # w n = (3, 1), target 2: dF/dw = (3, -1), dF/ds = w (dF/dw - mean(w dF/dw)) = (2, -2).
    # Adam's first step is the rate times the gradient's sign.
    assert state["logits"].tolist() == pytest.approx([-0.1, 0.1], rel=1e-9)
    assert state["initial"].tolist() == [1.0, 1.0]
    second, _ = one.weights(step(one, losses=losses, gramian=gramian, state=state))
    expected = 2 * torch.tensor([-0.1, 0.1], dtype=torch.float64).softmax(-1)
    torch.testing.assert_close(second, expected)


def test_its_steps_are_those_of_torchs_adam(rule, step, draw):
    one = rule("gradnorm")
    gradients = draw(6, 2, seed=3)
    state = step(one, losses=torch.ones(2, dtype=torch.float64)).state
    logits = torch.zeros(2, dtype=torch.float64, requires_grad=True)
    reference = torch.optim.Adam([logits], lr=0.025, eps=0.0)
    initial = None
    for g in gradients:
        losses = g.square().mean(-1)
        initial = losses if initial is None else initial
        norms = g.norm(dim=-1)
        weights, state = one.weights(step(one, losses=losses, gramian=g @ g.mT, state=state))
        mine = 2 * logits.softmax(-1)
        torch.testing.assert_close(weights, mine.detach())
        ratio = losses / initial
        target = (mine * norms).mean().detach() * (ratio / ratio.mean()) ** 1.5
        reference.zero_grad()
        (mine * norms - target).abs().sum().backward()
        reference.step()
    torch.testing.assert_close(state["logits"], logits.detach())


@pytest.mark.parametrize(("asymmetry", "sign"), [(0.5, 1), (1.0, -1), (1.5, -1)])
def test_asymmetry_raises_the_target_of_a_lagging_task(asymmetry, sign, rule, step):
    """Norms (2, 1), mean 1.5, rates (1.4, 0.6): the first target passes 2 at a = 0.86."""
    one = rule("gradnorm", asymmetry=asymmetry)
    state = dict(step(one, losses=torch.ones(2, dtype=torch.float64)).state)
    state |= {
        "initial": torch.ones_like(state["initial"]),
        "steps": torch.ones_like(state["steps"]),
    }
    losses = torch.tensor([1.4, 0.6], dtype=torch.float64)
    gramian = torch.diag(torch.tensor([4.0, 1.0], dtype=torch.float64))
    _, after = one.weights(step(one, losses=losses, gramian=gramian, state=state))
    assert after["logits"][1].sign() == sign


def test_equal_norms_are_a_fixed_point(rule, step):
    one = rule("gradnorm", asymmetry=0.0)
    gramian = torch.tensor([[4.0, 1.0], [1.0, 4.0]], dtype=torch.float64)
    _, state = one.weights(step(one, gramian=gramian))
    assert state["logits"].tolist() == [0.0, 0.0]


def test_it_balances_the_norms(rule, step):
    one = rule("gradnorm", asymmetry=0.0, rate=0.025)
    gramian = torch.diag(torch.tensor([9.0, 1.0], dtype=torch.float64))
    state = None
    for _ in range(300):
        weights, state = one.weights(step(one, gramian=gramian, state=state))
    weighted = weights * torch.tensor([3.0, 1.0], dtype=torch.float64)
    assert weighted[0].item() == pytest.approx(weighted[1].item(), rel=0.1)
    assert weights.sum().item() == pytest.approx(2.0)


@pytest.mark.parametrize("scale", [1e-12, 1e6])
def test_scale_of_the_losses_does_not_matter(scale, rule, step, draw):
    one = rule("gradnorm")
    states = []
    for factor in (1.0, scale):
        state = None
        for g in draw(4, 2, seed=5):
            losses = g.square().mean(-1) * factor
            gramian = g @ g.mT * factor**2
            _, state = one.weights(step(one, losses=losses, gramian=gramian, state=state))
        states.append(state["logits"])
    torch.testing.assert_close(states[0], states[1])
