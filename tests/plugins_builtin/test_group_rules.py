"""The rules that take groups as tasks, by hand."""

import math

import numpy as np
import pytest
import torch

from fairbench.dataset import Card, Dataset, Protected
from fairbench.fold import Fold, Split
from fairbench.method import Trial, Work
from fairbench.train.setup import prepare
from fairbench.training import Training
from fairbench.weighting import Step
from fairbench_baselines.dynamic_reweighting import Multiplicative
from fairbench_baselines.group_dro import GroupDRO, WorstGroup


def step(state, tradeoff, losses=(1.0, 1.0), **signals):
    def tensor(values):
        return torch.tensor(values, dtype=torch.float64)

    named = {name: tensor(values) for name, values in signals.items()}
    return Step(tensor(losses), tensor(tradeoff), state, {}, named)


def start(rule):
    return {name: value.double() for name, value in rule.initial_state(2).items()}


def test_multiplicative_weights_by_hand():
    rule = Multiplicative(0.75)
    _, state = rule.weights(step(start(rule), 0.0, error=(1.0, 3.0), present=(1.0, 1.0)))
    weights, state = rule.weights(step(state, 0.5, error=(5.0, 7.0), present=(1.0, 1.0)))
    followed = (0.75 * 1 + 0.25 * 5, 0.75 * 3 + 0.25 * 7)
    mean = sum(followed) / 2
    grown = [math.exp(0.5 * (m - mean) / mean) for m in followed]
    assert state["error"].tolist() == pytest.approx(followed)
    assert weights.tolist() == pytest.approx([w / sum(grown) for w in grown])


def test_no_rate_and_equal_groups_keep_the_balance():
    rule = Multiplicative(0.9)
    for rate, errors in ((0.0, (1.0, 9.0)), (2.0, (4.0, 4.0))):
        weights, state = rule.weights(step(start(rule), rate, error=errors, present=(1.0, 1.0)))
        assert weights.tolist() == [0.5, 0.5]
        assert state["weight"].tolist() == [1.0, 1.0]


def test_nothing_moves_before_every_group_was_seen_and_an_absent_one_keeps_its_error():
    rule = Multiplicative(0.5)
    _, state = rule.weights(step(start(rule), 1.0, error=(8.0, 0.0), present=(1.0, 0.0)))
    assert state["weight"].tolist() == [1.0, 1.0]
    assert state["error"].tolist() == [8.0, 0.0]
    _, state = rule.weights(step(state, 1.0, error=(0.0, 4.0), present=(0.0, 1.0)))
    assert state["error"].tolist() == [8.0, 4.0]
    assert state["weight"][0] > state["weight"][1]


def test_worst_group_by_hand_and_its_ends():
    rule = WorstGroup(0.1, (0.0, 2.0))
    grown = [math.exp(0.1 * 3), math.exp(0.1 * (1 + 2))]
    q = [w / sum(grown) for w in grown]
    for tau in (0.0, 0.3, 1.0):
        weights, _ = rule.weights(step(start(rule), tau, losses=(3.0, 1.0), shares=(0.8, 0.2)))
        expected = [(1 - tau) * s + tau * w for s, w in zip((0.8, 0.2), q, strict=True)]
        assert weights.tolist() == pytest.approx(expected)


@pytest.mark.parametrize("offsets", [(0.0, 0.0), (0.3, 0.0), (0.0, 0.5)])
def test_worst_group_finds_the_minimax_of_a_toy(offsets):
    """L = (θ² + s₀, (1 − θ)² + s₁) is equal, and least at worst, at θ = (1 + s₁ − s₀)/2."""
    rule = WorstGroup(0.05, (0.0, 0.0))
    theta, state, total = 0.0, start(rule), 0.0
    for number in range(4000):
        losses = (theta**2 + offsets[0], (1 - theta) ** 2 + offsets[1])
        weights, state = rule.weights(step(state, 1.0, losses=losses, shares=(0.5, 0.5)))
        slope = float(weights[0]) * 2 * theta - float(weights[1]) * 2 * (1 - theta)
        theta -= 0.05 * slope
        total += theta if number >= 2000 else 0.0
    assert total / 2000 == pytest.approx((1 + offsets[1] - offsets[0]) / 2, abs=0.01)


def test_group_dro_adjusts_by_the_training_rows_of_a_group():
    """Rows that are held out change nothing: C/√n_g with n_g = 40 and 10."""
    groups = np.array([0] * 40 + [1] * 10 + [1] * 70)
    attribute = Protected("g", "binary", groups.astype(float), groups, ("a", "b"))
    draw = np.random.default_rng(0)
    card = Card("made up", "nowhere", "none")
    dataset = Dataset(
        "d", draw.normal(size=(120, 2)), ("x", "z"), draw.normal(size=(120, 1)), ("y",),
        (attribute,), None, "", card,
    )  # fmt: skip
    split = Split(np.arange(50), np.arange(50, 80), np.arange(80, 120))
    work = Work([Trial("d", "m", 1.0, 0, 0)], Fold(dataset, split), Training(kernel="torch"))
    rule = prepare(GroupDRO(adjustment=3.0), work).weighting
    assert rule.adjustment == pytest.approx((3 / math.sqrt(40), 3 / math.sqrt(10)))
