"""Pre-processing: what is done to training rows, and what holds of them afterwards."""

from dataclasses import replace

import numpy as np
import pytest
from fairlearn.preprocessing import CorrelationRemover as Fairlearn
from sklearn.linear_model import LinearRegression

from fairbench.errors import StudyError
from fairbench.training import Training
from fairbench.wrap import target_bins
from fairbench_baselines.pre.biased_sampling import BiasedSampling, cell_counts
from fairbench_baselines.pre.correlation_remover import CorrelationRemover
from fairbench_baselines.pre.reweighing import Reweighing, table_weights
from tests.plugins_builtin.methods.drawn import (
    binary,
    categorical,
    continuous,
    on_training,
    predicted,
    table,
)


class TestReweighing:
    def test_by_hand(self):
        groups = np.repeat([0, 0, 1, 1], [30, 10, 20, 40])
        bins = np.repeat([0, 1, 0, 1], [30, 10, 20, 40])
        weights = table_weights(groups, bins)
        assert weights[[0, 30, 40, 60]] == pytest.approx([2 / 3, 2, 1.5, 0.75])

    def test_group_and_target_become_independent(self):
        rng = np.random.default_rng(0)
        g = rng.integers(3, size=500)
        y = rng.normal(size=500) + 0.3 * g
        fold = on_training(table(rng.normal(size=500), y, categorical(g)))
        weights = Reweighing().prepare(fold, 1.0, 0).weights
        assert weights.mean() == pytest.approx(1)
        scaled = fold.targets("train")[:, 0]
        edges = target_bins(scaled, g)
        shares = np.zeros((3, len(edges) + 1))
        assert len(edges) > 1
        np.add.at(shares, (g, np.searchsorted(edges, scaled, side="right")), weights / 500)
        outer = np.outer(shares.sum(axis=1), shares.sum(axis=0))
        assert np.abs(shares - outer).max() < 1e-12

    def test_continuous_weights_undo_a_correlation(self):
        rng = np.random.default_rng(1)
        s = rng.normal(size=1500)
        y = 0.6 * s + 0.8 * rng.normal(size=1500)
        fold = on_training(table(rng.normal(size=1500), y, continuous(s)))
        weights = Reweighing().prepare(fold, 1.0, 0).weights
        assert abs(np.cov(s, y, aweights=weights)[0, 1]) < 0.2 < np.cov(s, y)[0, 1]
        assert weights.min() > 0

    def test_the_base_is_trained_by_weight(self):
        """A line through the origin that two groups of rows disagree on."""
        g = np.repeat([0, 1], 100)
        y = np.where(np.arange(200) % 100 < np.where(g == 1, 80, 30), 1.0, 0.0)
        data = table(g, y, binary(g))
        method = Reweighing(bins=2, base="ridge", base_options={"penalty": 0.0})
        found = predicted(method, on_training(data), [0.0, 1.0])
        gaps = found[:, g == 1].mean(axis=1) - found[:, g == 0].mean(axis=1)
        assert gaps == pytest.approx([0.5, 0.0], abs=1e-9)

    def test_a_base_without_weights_is_refused(self, biased):
        method = Reweighing(base="single-task")
        with pytest.raises(StudyError, match="takes no weights of rows"):
            method.check(on_training(biased), Training())


class TestBiasedSampling:
    caps = np.array([[100, 50], [20, 40]])

    def counts(self, share, shares):
        # The mix of the example is one half of each bin, which these rows have.
        even = np.array([[100, 50], [20, 70]])
        assert even.sum(axis=0) == pytest.approx([120, 120])
        return cell_counts(even, share, shares)

    @pytest.mark.parametrize(
        ("share", "alone"), [(0.5, [20, 20, 20, 20]), (0.0, [50, 50, 0, 0]), (1.0, [0, 0, 20, 20])]
    )
    def test_as_many_as_there_are(self, share, alone):
        assert self.counts(share, (share,)).ravel().tolist() == alone

    def test_every_share_has_the_same_number_of_rows(self):
        shares = (0.0, 0.25, 0.5, 0.75, 1.0)
        for share in shares:
            found = self.counts(share, shares)
            assert found.sum() == pytest.approx(40, abs=2)
            assert found[1].sum() == pytest.approx(40 * share, abs=1)

    def test_samples_rows_of_the_fold(self, biased):
        fold = on_training(biased)
        method = BiasedSampling(sweep="share")
        sizes = set()
        for share in (0.0, 0.5, 1.0):
            train = method.prepare(fold, share, 3).split.train
            assert np.array_equal(train, np.unique(train))
            assert biased.protected[0].groups[train].mean() == pytest.approx(share, abs=0.03)
            sizes.add(len(train))
        assert max(sizes) - min(sizes) <= 3
        assert np.array_equal(
            method.prepare(fold, 0.5, 3).split.train, method.prepare(fold, 0.5, 3).split.train
        )

    def test_balance_goes_from_the_own_share_to_one_half(self, biased):
        fold, of = on_training(biased), biased.protected[0].groups
        shares = [
            of[BiasedSampling().prepare(fold, t, 0).split.train].mean() for t in (0.0, 0.5, 1.0)
        ]
        own = of.mean()
        assert shares == pytest.approx([own, (own + 0.5) / 2, 0.5], abs=0.02)


class TestCorrelationRemover:
    def drawn(self):
        rng = np.random.default_rng(2)
        a, s = rng.integers(3, size=300), rng.normal(size=300) + 5
        x = rng.normal(size=(300, 3)) + np.column_stack([a, s, a * s])
        y = x @ [1.0, 2.0, 3.0] + a
        return a, s, x, table(x, y, categorical(a, "a"), continuous(s, "s"))

    def test_nothing_is_correlated_any_more(self):
        a, s, _, data = self.drawn()
        fold = on_training(data)
        method = CorrelationRemover(attributes=("a", "s"))
        left = method.prepare(fold, 1.0, 0).dataset.features
        for column in (a == 1, a == 2, s):
            correlations = np.corrcoef(left.T, column)[-1, :-1]
            assert np.abs(correlations).max() < 1e-12
        assert method.prepare(fold, 0.0, 0) is fold

    def test_agrees_with_fairlearn(self):
        a, s, x, data = self.drawn()
        columns = np.column_stack([a == 1, a == 2, s])
        frame = np.column_stack([columns, x])
        for alpha in (0.3, 1.0):
            other = Fairlearn(sensitive_feature_ids=[0, 1, 2], alpha=alpha).fit_transform(frame)
            ours = CorrelationRemover(attributes=("a", "s")).prepare(on_training(data), alpha, 0)
            np.testing.assert_allclose(ours.dataset.features, other, atol=1e-9)

    def test_least_squares_has_equal_means_then(self, biased):
        method = CorrelationRemover(base_options={"penalty": 0.0})
        found = predicted(method, on_training(biased), [1.0])[0]
        g = biased.protected[0].groups
        assert found[g == 1].mean() == pytest.approx(found[g == 0].mean(), abs=1e-9)

    def test_rows_that_are_not_trained_on_take_the_training_means(self):
        _, _, x, data = self.drawn()
        fold = on_training(data, np.arange(200))
        left = CorrelationRemover().prepare(fold, 1.0, 0).dataset.features
        s = (data.protected[0].groups[:, None] == [1, 2]).astype(float)
        fitted = LinearRegression().fit(s[:200], x[:200])
        expected = x - (s - s[:200].mean(axis=0)) @ fitted.coef_.T
        np.testing.assert_allclose(left, expected, atol=1e-9)

    def test_missing_features_are_filled_in_before(self, biased):
        features = biased.features.copy()
        features[::5, 0] = np.nan
        gaps = replace(biased, features=features, imputed=((0,),))
        assert np.isfinite(predicted(CorrelationRemover(), on_training(gaps), [1.0])).all()
