"""Trees fitted with the groups in view: closed forms on training rows."""

import numpy as np
import pytest

from fairbench_baselines.anchors import RandomForest
from fairbench_baselines.trees.fair_forest import FairForest
from fairbench_baselines.trees.fair_gbm import FairGBM
from tests.plugins_builtin.methods.drawn import (
    binary,
    categorical,
    continuous,
    on_training,
    predicted,
    table,
)


def gap(prediction, dataset):
    g = dataset.protected[0].groups
    return prediction[..., g == 1].mean(-1) - prediction[..., g == 0].mean(-1)


class TestFairGBM:
    def test_one_constant_per_group(self):
        """The gap is Δ/(1 + λ)."""
        g = np.array([0] * 60 + [1] * 40)
        data = table(g, 3.0 * g, binary(g))
        found = predicted(FairGBM(trees=30, learning_rate=0.5), on_training(data), [0.0, 0.5, 0.8])
        assert gap(found, data) == pytest.approx([3, 1.5, 0.6], abs=1e-3)

    def test_begins_from_boosting(self, biased):
        from sklearn.ensemble import GradientBoostingRegressor

        fold = on_training(biased)
        found = predicted(FairGBM(trees=30), fold, [0.0])[0]
        x, y = fold.features("train"), fold.targets("train")[:, 0]
        plain = GradientBoostingRegressor(n_estimators=30, max_depth=3)
        expected = fold.unscale(plain.fit(x, y).predict(x)[:, None])[:, 0]
        assert found == pytest.approx(expected, abs=1e-6)

    def test_gaps_close_along_the_sweep(self, biased):
        found = gap(predicted(FairGBM(trees=60), on_training(biased), [0.0, 0.5, 0.9]), biased)
        assert found[0] > found[1] > found[2] > 0
        assert found[2] < 0.35 * found[0]

    def test_a_continuous_attribute(self):
        rng = np.random.default_rng(0)
        s = rng.normal(size=400)
        x = np.column_stack([s, rng.normal(size=400)])
        data = table(x, 2 * s + x[:, 1], continuous(s))
        plain, fair = predicted(FairGBM(), on_training(data), [0.0, 0.9])
        assert abs(np.cov(fair, s)[0, 1]) < 0.2 * np.cov(plain, s)[0, 1]


class TestFairForest:
    def test_the_gap_shrinks_by_its_factor(self, biased):
        t = np.array([0.0, 0.5, 0.9])
        gaps = gap(predicted(FairForest(trees=30), on_training(biased), t), biased)
        shrunk = gaps[0] / gaps[1:] - 1  # λR²
        assert shrunk[1] / shrunk[0] == pytest.approx(9, rel=1e-6)
        assert 0.3 < shrunk[0] < 1

    def test_begins_from_the_forest(self, biased):
        fold = on_training(biased)
        found = predicted(FairForest(trees=20), fold, [0.0])[0]
        assert np.array_equal(found, predicted(RandomForest(trees=20), fold)[0])

    def test_several_groups_end_with_equal_means(self):
        rng = np.random.default_rng(1)
        g = rng.integers(3, size=300)
        x = rng.normal(size=(300, 3)) + g[:, None]
        data = table(x, x.sum(axis=1), categorical(g))
        found = predicted(FairForest(trees=20), on_training(data), [0.0, 0.999])
        means = np.array([[one[g == k].mean() for k in range(3)] for one in found])
        assert np.ptp(means[1]) < 0.02 * np.ptp(means[0])
