"""FAMO, which sees each batch again after its step."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from torchjd.scalarization import FAMO

DTYPE = torch.float64


def followed(rule, step, pairs, **options):
    """Weights of every step, whose losses and those after it are given, and the last state."""
    one, state, found = rule("famo", **options), None, []
    for before, after in pairs:
        now = step(one, losses=before, state=state)
        weights, state = one.weights(now)
        state = one.after_step(before, after, state)
        found.append(weights)
    return found, state


def tensor(*numbers):
    return torch.tensor(numbers, dtype=DTYPE)


def test_the_first_step_in_numbers(rule, step):
    pairs = [(tensor(1, 4), tensor(0.9, 3.9))]
    (weights,), state = followed(rule, step, pairs)
    assert weights.tolist() == pytest.approx([0.8, 0.2], abs=1e-6)
    assert state["logits"].tolist() == pytest.approx([-0.025, 0.025])
    assert state["logits"].softmax(-1).tolist() == pytest.approx([0.4875, 0.5125], abs=1e-4)
    gradient = state["mean"] / 0.1
    assert gradient.tolist() == pytest.approx([0.02001, -0.02001], abs=1e-5)


def test_twenty_steps_are_torchjds(rule, step):
    generator = torch.Generator().manual_seed(3)
    pairs = [torch.rand(2, 3, generator=generator, dtype=DTYPE) + 0.1 for _ in range(20)]
    found, _ = followed(rule, step, [tuple(pair) for pair in pairs])
    oracle = FAMO((3,)).double()
    for (before, after), weights in zip(pairs, found, strict=True):
        leaf = before.clone().requires_grad_()
        oracle(leaf).backward()
        torch.testing.assert_close(weights, leaf.grad, rtol=1e-6, atol=1e-6)
        oracle.update(after)


def test_the_scale_of_a_loss_moves_weights_and_not_shares(rule, step, draw):
    losses = draw(10, 3)[..., 0].exp()
    pairs = list(pairwise(losses))
    plain, before = followed(rule, step, pairs)
    factors = tensor(1, 10, 0.01)
    scaled, after = followed(rule, step, [(a * factors, b * factors) for a, b in pairs])
    torch.testing.assert_close(before["logits"], after["logits"], rtol=1e-3, atol=1e-6)
    for one, other in zip(plain, scaled, strict=True):
        shares = one / factors / (one / factors).sum()
        torch.testing.assert_close(other, shares, rtol=1e-3, atol=1e-6)


def test_equal_gains_leave_shares_alone(rule, step):
    _, state = followed(rule, step, [(tensor(2e4, 6e4), tensor(1e4, 3e4))] * 5, decay=0.0)
    assert state["logits"].abs().max() < 1e-5


def test_decay_pulls_to_equal_shares(rule, step):
    pairs = [(tensor(2, 6), tensor(1.9, 5.9)), *[(tensor(2, 6), tensor(2, 6))] * 300]
    weak, strong = (
        followed(rule, step, pairs, decay=decay)[1]["logits"].abs().max() for decay in (0.0, 1.0)
    )
    assert strong < 0.1 * weak


def test_a_loss_of_zero_takes_all_the_weight_unless_it_is_bounded_below(rule, step):
    pairs = [(tensor(0, 1), tensor(0, 0.5))]
    (all_of_it,), _ = followed(rule, step, pairs)
    assert all_of_it.tolist() == pytest.approx([1, 0], abs=1e-6)
    (shared,), _ = followed(rule, step, pairs, bound=-0.5)
    assert shared.tolist() == pytest.approx([0.75, 0.25], abs=1e-6)
