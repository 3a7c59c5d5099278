"""Reductions: their costs by hand, and what the mixture reaches on training rows."""

import numpy as np
import pytest

from fairbench_baselines.anchors import Ridge
from fairbench_baselines.reductions.dp_reduction import DPReduction, best_mixture, costs
from tests.plugins_builtin.methods.drawn import binary, on_training, predicted, table, trained


def test_the_cost_of_a_threshold():
    """−0.03 for α = 0.025, θ = 0.4 and y = 0.7: twenty levels."""
    none = np.zeros((1, 19))
    found = costs(np.array([0.7]), np.zeros(1, int), np.ones(1), none, 20)
    assert found[0, 7] == pytest.approx(-0.03)
    up, down = 0.425, 0.375
    assert found[0, 7] == pytest.approx((up - 0.7) ** 2 - (down - 0.7) ** 2)


def test_multipliers_count_by_share():
    multipliers = np.array([[0.2], [0.0]])
    found = costs(np.full(2, 0.5), np.array([0, 1]), np.array([0.25, 0.75]), multipliers, 2)
    assert found[:, 0] == pytest.approx([0.2 / 0.25 - 0.2, -0.2])


def test_the_mixture_is_the_best_that_meets_the_bound():
    errors, gaps = np.array([1.0, 3.0]), np.array([[[0.4]], [[0.0]]])
    weights, slack = best_mixture(errors, gaps, 0.1)
    assert weights == pytest.approx([0.25, 0.75])
    assert slack == pytest.approx(0, abs=1e-9)
    _, slack = best_mixture(errors, gaps + 0.3, 0.1)
    assert slack == pytest.approx(0.2)


def test_the_bound_is_met_on_training_rows(biased):
    fold, g = on_training(biased), biased.protected[0].groups
    found = trained(DPReduction(rounds=60), fold, [0.05, 0.2, 1.0])
    reached = [float(p.record["disparity"][0]) for p in found.predictions]
    slack = [float(p.record["slack"][0]) for p in found.predictions]
    assert max(slack[1:]) < 1e-6
    assert slack[0] < 0.02
    assert reached[0] <= 0.05 + slack[0] + 1e-6
    assert reached[1] == pytest.approx(0.2, abs=1e-6)
    drawn = found.predictions[0].test[:, 0]
    apart = [abs((drawn[g == k] >= 12).mean() - (drawn >= 12).mean()) for k in (0, 1)]
    assert max(apart) < 0.05 + slack[0] + 0.06
    errors = [np.mean((p.test[:, 0] - biased.targets[:, 0]) ** 2) for p in found.predictions]
    assert errors[0] > errors[1] > errors[2]


def test_without_a_bound_it_is_the_base_rounded(biased):
    fold = on_training(biased)
    found = trained(DPReduction(), fold, [1.0]).predictions[0]
    assert found.record["rounds"][0] == 1
    base = predicted(Ridge(), fold)[0]
    y = biased.targets[:, 0]
    inside = (base > y.min()) & (base < y.max())
    assert np.abs(found.test[:, 0] - base)[inside].max() <= np.ptp(y) / 80 + 1e-9


def test_one_group_is_the_base_rounded():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(80, 2))
    data = table(x, x.sum(axis=1), binary(np.zeros(80)))
    strict, free = predicted(DPReduction(), on_training(data), [0.02, 1.0])
    assert np.array_equal(strict, free)


def test_the_mean_is_no_draw(biased):
    method = DPReduction(rounds=20, draw="mean")
    fold = on_training(biased)
    one, other = (predicted(method, fold, [0.1], seeds=(seed,)) for seed in (0, 1))
    assert np.array_equal(one, other)
    assert not method.facts.randomised
    assert DPReduction().facts.randomised
