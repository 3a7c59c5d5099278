"""Post-processing: rules by hand, guarantees on calibration rows, and each row by itself."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from fairbench.fold import Fold, Split
from fairbench.method import Trial, Work
from fairbench.training import Training
from fairbench.wrap import Ranks, Rows, Sample
from fairbench.wrap.calibration import _fifths
from fairbench_baselines.post.barycenter import Barycenter
from fairbench_baselines.post.eo_postprocess import EOPostprocess, maps
from fairbench_baselines.post.moment_matching import MomentMatching
from fairbench_baselines.post.unaware_post import UnawarePost, policy
from tests.plugins_builtin.methods.drawn import binary, categorical, predicted, table, trained


def sample(prediction, groups, target=None, level=None):
    prediction, groups = np.asarray(prediction, dtype=float), np.asarray(groups)
    rng = np.random.default_rng(0)
    target = prediction if target is None else np.asarray(target, dtype=float)
    x = rng.normal(size=(len(prediction), 2))
    return Sample(
        prediction,
        groups,
        level,
        x,
        rng.uniform(size=len(prediction)),
        target=target,
        shares=np.bincount(groups) / len(groups),
        train_features=x,
        train_groups=groups,
    )


def rows_of(found, index=slice(None)):
    level = None if found.level is None else found.level[index]
    return Rows(
        found.prediction[index], found.groups[index], level, found.features[index],
        found.uniform[index],
    )  # fmt: skip


def kolmogorov(values, groups):
    """Largest distance of a group's distribution to that of all."""
    points = np.unique(values)
    of_all = (values[:, None] <= points).mean(axis=0)
    apart = [
        np.abs((values[groups == g][:, None] <= points).mean(axis=0) - of_all).max()
        for g in np.unique(groups)
    ]
    return max(apart)


class TestRanks:
    def test_one_sample_is_mapped_to_itself_and_ties_share_a_level(self):
        of = Ranks.of(np.array([3.0, 1.0, 1.0, 7.0]))
        assert of.quantile(of.level(np.array([1.0, 2.0, 3.0, 7.0]))) == pytest.approx([1, 2, 3, 7])
        assert of.level(np.array([1.0])) == pytest.approx(0.25)

    def test_ties_are_drawn_evenly(self):
        of, u = Ranks.of(np.array([1.0, 1.0, 2.0, 2.0])), (np.arange(100) + 0.5) / 100
        drawn = of.level(np.array([1.0, 2.0]).repeat(100), np.tile(u, 2))
        assert np.sort(drawn) == pytest.approx((np.arange(200) + 0.5) / 200)


class TestMomentMatching:
    def test_equal_moments_and_their_price(self):
        rng = np.random.default_rng(1)
        g = np.arange(200) % 3
        found = sample(rng.normal(size=200) * (1 + g) + 5 * g, g)
        for t in (1.0, 0.4):
            moved = MomentMatching().learn(found, t).apply(rows_of(found))
            means = np.array([found.prediction[g == k].mean() for k in range(3)])
            sds = np.array([found.prediction[g == k].std() for k in range(3)])
            common = found.shares @ means, found.shares @ sds
            for k in range(3):
                assert moved[g == k].mean() == pytest.approx((1 - t) * means[k] + t * common[0])
                assert moved[g == k].std() == pytest.approx((1 - t) * sds[k] + t * common[1])
            price = found.shares @ ((means - common[0]) ** 2 + (sds - common[1]) ** 2)
            assert ((moved - found.prediction) ** 2).mean() == pytest.approx(t**2 * price)

    def test_continuous(self):
        rng = np.random.default_rng(2)
        s = rng.normal(size=3000)
        found = sample(2 + 3 * s + rng.normal(size=3000), np.zeros(3000, int), level=s)
        moved = MomentMatching().learn(found, 1.0).apply(rows_of(found))
        assert abs(np.corrcoef(moved, s)[0, 1]) < 1e-2
        assert moved == pytest.approx(found.prediction - 3 * s, abs=0.3)

    def test_a_group_of_one_prediction_gets_the_common_mean(self):
        found = sample([1.0, 1.0, 3.0, 5.0], [0, 0, 1, 1])
        moved = MomentMatching().learn(found, 1.0).apply(rows_of(found))
        assert moved[:2] == pytest.approx([2.5, 2.5])


class TestBarycenter:
    def test_by_hand(self):
        found = sample([0, 1, 2, 3, 10, 20, 30, 40], np.repeat([0, 1], 4))
        moved = Barycenter().learn(found, 1.0).apply(rows_of(found))
        assert moved == pytest.approx([5, 10.5, 16, 21.5] * 2)
        assert ((moved - found.prediction) ** 2).mean() == pytest.approx(163.375)

    def test_the_path_is_straight_and_one_group_stays(self):
        rng = np.random.default_rng(3)
        found = sample(rng.normal(size=90), np.arange(90) % 3)
        far = Barycenter().learn(found, 1.0).apply(rows_of(found))
        near = Barycenter().learn(found, 0.3).apply(rows_of(found))
        assert near == pytest.approx(0.7 * found.prediction + 0.3 * far)
        alone = sample(rng.normal(size=50), np.zeros(50, int))
        beyond = Rows(np.array([-9.0, 9.0]), np.zeros(2, int), None, np.zeros((2, 2)), np.zeros(2))
        rule = Barycenter().learn(alone, 1.0)
        assert rule.apply(rows_of(alone)) == pytest.approx(alone.prediction)
        assert rule.apply(beyond) == pytest.approx([-9, 9])

    def test_two_gaussians(self):
        """p₀p₁((μ₁ − μ₀)² + (σ₁ − σ₀)²), and the same distribution for both."""
        rng = np.random.default_rng(4)
        g = (np.arange(4000) % 10 < 3).astype(int)
        found = sample(rng.normal(size=4000) * (1 + g) + 2 * g, g)
        moved = Barycenter().learn(found, 1.0).apply(rows_of(found))
        assert ((moved - found.prediction) ** 2).mean() == pytest.approx(0.21 * 5, rel=0.1)
        assert kolmogorov(moved, g) < 0.01

    def test_a_row_is_predicted_alone_as_among_others(self):
        rng = np.random.default_rng(5)
        found = sample(rng.normal(size=60), np.arange(60) % 2)
        rule = Barycenter().learn(found, 1.0)
        together = rule.apply(rows_of(found))
        alone = [rule.apply(rows_of(found, slice(i, i + 1)))[0] for i in range(60)]
        assert alone == pytest.approx(together)

    def test_trees_need_random_ties(self):
        rng = np.random.default_rng(6)
        g = np.arange(4000) % 2
        found = sample(rng.integers(3, size=4000) + g * rng.integers(4, size=4000), g)
        even, drawn = (
            Barycenter(ties=how).learn(found, 1.0).apply(rows_of(found))
            for how in ("mean", "random")
        )
        assert kolmogorov(drawn, g) < 0.04 < 0.1 < kolmogorov(even, g)

    def test_continuous(self):
        """Gaussian: ŷ = a + bs + e maps to ŷ − bs."""
        rng = np.random.default_rng(7)
        s = rng.normal(size=2000)
        found = sample(1 + 2 * s + rng.normal(size=2000), np.zeros(2000, int), level=s)
        some = slice(0, 200)
        moved = Barycenter().learn(found, 1.0).apply(rows_of(found, some))
        expected = found.prediction[some] - 2 * s[some]
        assert np.sqrt(np.mean((moved - expected) ** 2)) < 0.15
        assert abs(np.corrcoef(moved, s[some])[0, 1]) < 0.1

    def test_groups_of_several_attributes(self):
        rng = np.random.default_rng(8)
        a, b = rng.integers(2, size=600), rng.integers(3, size=600)
        x = rng.normal(size=(600, 2)) + np.column_stack([a, b * a])
        data = table(x, x @ [2.0, 3.0], binary(a, "a"), categorical(b, "b"))
        rows = np.arange(600)
        fold = Fold(data, Split(rows, rows[:0], rows))
        one, both = (
            predicted(Barycenter(attributes=names, calibration="train"), fold, [1.0])[0]
            for names in (("a",), ("a", "b"))
        )
        cells = 3 * a + b
        assert kolmogorov(both, cells) < 0.03 < 0.1 < kolmogorov(one, cells)
        assert kolmogorov(one, a) < 0.03


class TestEOPostprocess:
    def test_two_classifiers_by_hand(self):
        """(TPR, FPR) of (.8, .2) and (.6, .4): both at (.6, .4), the better one flips a third."""
        rates = np.array([[0.2, 0.8], [0.4, 0.6]])
        mass = np.stack([np.stack([1 - rates, rates], axis=2)[g] for g in range(2)]) * 1000
        # The error of predicting m′ in cell (g, m), over half the rows in each group and class.
        cost = np.zeros((2, 2, 2))
        for k in range(2):
            for to in range(2):
                cost[:, :, to] += 0.25 * mass[:, k] / 1000 * (to != k)
        moves = maps(cost, mass, 0.0)
        assert (cost * moves).sum() == pytest.approx(0.4)
        np.testing.assert_allclose(moves[1], np.eye(2), atol=1e-9)
        np.testing.assert_allclose(moves[0], np.array([[2, 1], [1, 2]]) / 3, atol=1e-9)

    def drawn(self):
        rng = np.random.default_rng(9)
        g = np.arange(1200) % 2
        y = rng.normal(size=1200)
        return sample(y + (0.4 + g) * rng.normal(size=1200) + 0.5 * g, g, y)

    def expected(self, found, value, bins=5):
        """Largest distance within a bin of the target of the chances to predict up to a level."""
        rule = EOPostprocess(levels=8, bins=bins).learn(found, value)
        draws = np.stack(
            [
                rule.apply(replace(rows_of(found), uniform=np.full(1200, u)))
                for u in (np.arange(200) + 0.5) / 200
            ]
        )  # fmt: skip
        edges = np.quantile(found.target, np.arange(1, bins) / bins)
        k = np.searchsorted(edges, found.target, side="right")
        cuts = np.quantile(found.prediction, np.arange(1, 8) / 8)
        apart = [
            np.abs(
                (draws[:, (k == b) & (found.groups == 0)][..., None] < cuts).mean(axis=(0, 1))
                - (draws[:, (k == b) & (found.groups == 1)][..., None] < cuts).mean(axis=(0, 1))
            ).max()
            for b in range(bins)
        ]
        return max(apart), ((draws - found.target) ** 2).mean()

    def test_within_epsilon_in_every_bin_and_dearer_the_fairer(self):
        found = self.drawn()
        reached, errors = zip(*[self.expected(found, e) for e in (0.0, 0.1, 1.0)], strict=True)
        assert reached[0] < 0.01
        assert reached[1] == pytest.approx(0.1, abs=0.01)
        assert reached[2] > 0.2
        assert errors[0] > errors[1] > errors[2]

    def test_identical_groups_stay_as_they_are(self):
        rng = np.random.default_rng(10)
        y = np.repeat(rng.normal(size=300), 2)
        found = sample(y, np.tile([0, 1], 300), y)
        rule = EOPostprocess().learn(found, 0.0)
        assert rule.apply(rows_of(found)) == pytest.approx(y)

    def test_the_mean_is_no_draw(self):
        assert EOPostprocess().facts.randomised
        assert not EOPostprocess(draw="mean").facts.randomised
        found = self.drawn()
        rule = EOPostprocess(draw="mean").learn(found, 0.0)
        other = Rows(found.prediction, found.groups, None, found.features, found.uniform[::-1])
        assert rule.apply(rows_of(found)) == pytest.approx(rule.apply(other))


class TestUnawarePost:
    grid = np.linspace(-3, 3, 31)

    def drawn(self):
        rng = np.random.default_rng(11)
        g = np.arange(800) % 2
        return rng.normal(size=800) * 0.7 + 1.2 * g - 0.6, np.eye(2)[g], g

    def reached(self, chances, g):
        upto = chances.cumsum(axis=1)
        return max(np.abs(upto[g == k].mean(axis=0) - upto.mean(axis=0)).max() for k in range(2))

    def test_the_bound_is_reached_exactly(self):
        eta, tau, g = self.drawn()
        free = self.reached(policy(eta, tau, self.grid, 1.0).of(eta, tau), g)
        assert free > 0.25
        for epsilon in (0.0, 0.05, 0.1):
            found = policy(eta, tau, self.grid, epsilon).of(eta, tau)
            assert self.reached(found, g) == pytest.approx(epsilon, abs=2e-3)
        loose = policy(eta, tau, self.grid, free + 0.05)
        assert np.abs(loose.tilt).max() < 1e-4

    def test_features_that_tell_nothing_change_nothing(self):
        eta, _, _ = self.drawn()
        tau = np.full((800, 2), 0.5)
        plain = policy(eta, tau, self.grid, 1.0).of(eta, tau)
        for epsilon in (0.0, 0.1):
            assert policy(eta, tau, self.grid, epsilon).of(eta, tau) == pytest.approx(plain)
        near = np.abs(plain @ self.grid - eta)[np.abs(eta) < 2.9]
        assert near.max() < 0.1

    def test_its_mean_is_near_the_barycenter(self):
        eta, tau, g = self.drawn()
        mean = policy(eta, tau, self.grid, 0.0).of(eta, tau) @ self.grid
        moved = Barycenter().learn(sample(eta, g), 1.0)
        target = moved.apply(rows_of(sample(eta, g)))
        assert np.sqrt(np.mean((mean - target) ** 2)) < 0.05

    def test_levels_are_another_bound(self):
        eta, tau, g = self.drawn()
        found = policy(eta, tau, self.grid, 0.05, "level").of(eta, tau)
        apart = [np.abs(found[g == k].mean(axis=0) - found.mean(axis=0)).max() for k in range(2)]
        assert max(apart) == pytest.approx(0.05, abs=2e-3)
        assert self.reached(found, g) > 0.1


class TestCalibration:
    def test_the_base_never_saw_the_rows_it_is_calibrated_on(self, biased):
        """A tree that learns its rows by heart: in-sample predictions have the targets' spread."""
        rows = np.arange(300)
        fold = Fold(biased, Split(rows[:200], rows[200:250], rows[250:]))
        deep = {"base": "gradient-boosting", "base_options": {"depth": 9, "trees": 20}}
        shifts = {}
        for source in ("train", "cross", "holdout"):
            method = MomentMatching(**deep, calibration=source)
            (found,) = trained(method, fold, [1.0]).predictions
            (plain,) = trained(method, fold, [0.0]).predictions
            assert (
                found.record["calibration_rows"]
                == {"train": 200, "cross": 200, "holdout": 40}[source]
            )
            shifts[source] = np.abs(found.test - plain.test).mean()
        assert len({round(float(shift), 9) for shift in shifts.values()}) == 3

    def test_clusters_are_not_cut(self, biased):
        clusters = np.repeat(np.arange(100), 3)
        g = np.repeat(np.arange(100) % 2, 3)
        data = replace(biased, clusters=clusters, protected=(binary(g),))
        work = Work([], Fold(data, Split(np.arange(240), np.arange(240, 270), np.arange(270, 300))),
                    Training())  # fmt: skip
        fifths = _fifths(work, Trial("d", "m", None, 0, 0))
        assert np.array_equal(np.sort(np.concatenate(fifths)), np.arange(240))
        for one, other in pairwise(fifths):
            assert not set(clusters[one]) & set(clusters[other])
        for fifth in fifths:
            assert abs(g[fifth].mean() - g[:240].mean()) < 0.1

    def test_draws_belong_to_rows(self, biased):
        rows = np.arange(300)
        whole = Fold(biased, Split(rows[:200], rows[:0], rows[200:]))
        some = Fold(biased, Split(rows[:200], rows[:0], rows[200::7]))
        method = UnawarePost(calibration="train")
        first, again = (predicted(method, whole, [0.0])[0] for _ in range(2))
        assert np.array_equal(first, again)
        assert predicted(method, some, [0.0])[0] == pytest.approx(first[::7])
        assert not np.array_equal(predicted(method, whole, [0.0], seeds=(1,))[0], first)
