"""The linear closed forms: their values by hand, and what they promise on training rows."""

import numpy as np
import pytest
from scipy.optimize import minimize
from sklearn.linear_model import LinearRegression, Ridge

from fairbench.errors import StudyError
from fairbench_baselines.linear.convex import minimum
from fairbench_baselines.linear.decomposed import Parts
from fairbench_baselines.linear.equal_means import EqualMeans
from fairbench_baselines.linear.frrm import FRRM
from fairbench_baselines.linear.mean_gap_ridge import MeanGapRidge
from fairbench_baselines.linear.multi_task_fair import MultiTaskFair, solved
from fairbench_baselines.linear.nclm import NCLM
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


def of_s(prediction, s):
    """Share of the variance of predictions that a regression on the columns `s` explains."""
    fitted = LinearRegression().fit(s, prediction).predict(s)
    return np.var(fitted) / np.var(prediction)


class TestSolver:
    def test_agrees_with_a_general_one(self):
        rng = np.random.default_rng(0)
        for _ in range(5):
            root = rng.normal(size=(6, 6))
            h, c, a = root @ root.T + np.eye(6), rng.normal(size=6), rng.normal(size=(4, 6))
            high = np.array([0.1, 0.0, 0.3, 0.0])
            low = np.array([-0.1, 0.0, -0.3, -0.2])
            w = minimum(h, c, a, low, high)
            assert (a @ w <= high + 1e-9).all()
            assert (a @ w >= low - 1e-9).all()
            rows, ends = np.vstack([-a, a]), np.concatenate([high, -low])
            other = minimize(
                lambda w, h=h, c=c: w @ h @ w / 2 - c @ w,
                np.zeros(6),
                constraints={"type": "ineq", "fun": lambda w, rows=rows, e=ends: rows @ w + e},
            )
            assert w @ h @ w / 2 - c @ w == pytest.approx(other.fun, abs=1e-6)

    def test_dependent_constraints_are_no_trouble(self):
        a = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
        w = minimum(np.eye(2), np.array([3.0, 3.0]), a, -np.full(3, 1.0), np.full(3, 1.0))
        assert w == pytest.approx([0.5, 0.5])

    def test_what_nothing_meets_is_said(self):
        a = np.array([[1.0], [1.0]])
        with pytest.raises(StudyError, match="no linear model"):
            minimum(np.eye(1), np.zeros(1), a, np.array([1.0, -3.0]), np.array([2.0, -2.0]))


class TestMeanGapRidge:
    def test_shrinks_the_gap_by_its_factor_and_costs_its_price(self, biased):
        """Of least squares: 1/(1 + λR²), and π(1 − π)·gap²/R² for parity."""
        t = np.array([0.0, 0.3, 0.9])
        method, fold = MeanGapRidge(penalty=0.0), on_training(biased)
        gaps = gap(predicted(method, fold, t), biased)
        z = biased.protected[0].values
        explained = LinearRegression().fit(biased.features, z).score(biased.features, z)
        assert gaps / gaps[0] == pytest.approx(1 / (1 + t / (1 - t) * explained), rel=1e-6)
        y, share = biased.targets[:, 0], z.mean()
        far = predicted(method, fold, [0.0, 0.999])
        errors = ((far - y) ** 2).mean(-1)
        left = gap(far, biased)[1] / gaps[0]
        price = share * (1 - share) * gaps[0] ** 2 / explained * (1 - left) ** 2
        assert errors[1] - errors[0] == pytest.approx(price, rel=1e-5)

    def test_a_model_of_the_group_alone(self):
        """One constant per group: the gap is Δ/(1 + λ)."""
        g = np.array([0] * 6 + [1] * 4)
        data = table(g, g * 3.0 + 1, binary(g))
        gaps = gap(predicted(MeanGapRidge(penalty=0.0), on_training(data), [0.0, 0.5, 0.8]), data)
        assert gaps == pytest.approx(3 * np.array([1.0, 0.5, 0.2]), rel=1e-6)

    def test_continuous(self):
        rng = np.random.default_rng(1)
        s = rng.normal(size=200)
        data = table(np.column_stack([s, rng.normal(size=200)]), 2 * s, continuous(s))
        found = predicted(MeanGapRidge(penalty=0.0), on_training(data), [0.0, 0.5])
        slopes = [np.cov(one, s)[0, 1] / s.var(ddof=1) for one in found]
        assert slopes == pytest.approx([2.0, 1.0], rel=1e-3)


class TestEqualMeans:
    def test_ends(self, biased):
        fold = on_training(biased)
        fair, half, plain = predicted(EqualMeans(), fold, [0.0, 0.5, 1.0])
        ridge = Ridge().fit(fold.features("train"), fold.targets("train")[:, 0])
        assert fold.unscale(ridge.predict(fold.features("train"))[:, None])[:, 0] == pytest.approx(
            plain, abs=1e-9
        )
        assert abs(gap(fair, biased)) < 1e-9
        assert gap(half, biased) == pytest.approx(gap(plain, biased) / 2)

    def test_several_groups_and_a_continuous_attribute(self):
        rng = np.random.default_rng(2)
        g, s = rng.integers(3, size=240), rng.normal(size=240)
        x = rng.normal(size=(240, 4)) + np.column_stack([g, s, g == 1, s])
        y = x @ [1.0, 2.0, 3.0, -1.0]
        fair = predicted(EqualMeans(), on_training(table(x, y, categorical(g))), [0.0])[0]
        assert np.ptp([fair[g == k].mean() for k in range(3)]) < 1e-9
        both = EqualMeans(attributes=("g", "s"))
        data = table(x, y, categorical(g), continuous(s))
        fair = predicted(both, on_training(data), [0.0])[0]
        assert np.ptp([fair[g == k].mean() for k in range(3)]) < 1e-9
        assert abs(np.cov(fair, s)[0, 1]) < 1e-9

    def test_balanced_residuals(self, biased):
        fair = predicted(EqualMeans(given="residuals"), on_training(biased), [0.0])[0]
        assert abs(gap(fair - biased.targets[:, 0], biased)) < 1e-9

    def test_residuals_change_nothing_where_the_groups_have_intercepts(self, biased):
        g = biased.protected[0]
        data = table(np.column_stack([biased.features, g.values]), biased.targets[:, 0], g)
        method = EqualMeans(given="residuals", penalty=0.0)
        fair, plain = predicted(method, on_training(data), [0.0, 1.0])
        assert fair == pytest.approx(plain, abs=1e-5)

    def test_propensity_leaves_what_features_explain(self):
        """Equal means within strata of what features say of the group, not over all rows."""
        rng = np.random.default_rng(7)
        g = np.arange(600) % 2
        x = rng.normal(size=(600, 12))
        x[:, 0] += 1.5 * g
        data = table(x, x @ np.r_[2.0, np.ones(11)] + g, binary(g))
        methods = EqualMeans(), EqualMeans(given="propensity")
        strict, within = (predicted(one, on_training(data), [0.0])[0] for one in methods)
        assert abs(gap(strict, data)) < 1e-9
        assert gap(within, data) > 0.1


class TestDecomposed:
    def drawn(self, columns):
        rng = np.random.default_rng(4)
        s = rng.normal(size=(400, columns))
        x = rng.normal(size=(400, 3)) + s[:, :1]
        y = x @ [1.0, -1.0, 2.0] + s @ np.arange(1.0, columns + 1) + rng.normal(size=400)
        names = tuple(f"s{i}" for i in range(columns))
        attributes = [continuous(s[:, i], names[i]) for i in range(columns)]
        return s, y, table(x, y, *attributes), names

    @pytest.mark.parametrize("method", [FRRM, NCLM])
    @pytest.mark.parametrize("columns", [1, 2])
    def test_the_attribute_explains_the_share_asked_for(self, method, columns):
        s, y, data, names = self.drawn(columns)
        shares = (0.0, 0.02, 0.1, 1.0)
        found = predicted(method(penalty=0.0, attributes=names), on_training(data), shares)
        assert [of_s(one, s) for one in found[:3]] == pytest.approx(shares[:3], abs=1e-6)
        full = LinearRegression().fit(np.column_stack([data.features, s]), y)
        everything = full.predict(np.column_stack([data.features, s]))
        assert found[3] == pytest.approx(everything, abs=1e-5)

    def test_scaling_errs_no_more_than_ridge_and_nclm_no_more_than_either(self):
        _, y, data, names = self.drawn(2)
        errors = [
            ((predicted(one, on_training(data), [0.05])[0] - y) ** 2).mean()
            for one in (
                NCLM(penalty=0.0, attributes=names),
                FRRM(penalty=0.0, attributes=names, shrink="scale"),
                FRRM(penalty=0.0, attributes=names),
            )
        ]
        assert errors == sorted(errors)
        assert errors[0] < errors[1]

    def test_closed_form_by_hand(self):
        """A = 2, B = 3, r = 0.1: k = .40825, a = .46742, b = 1.14495."""
        s = np.sqrt(2) * np.array([[1.0], [-1.0], [1.0], [-1.0]])
        u = np.sqrt(3) * np.array([[1.0], [1.0], [-1.0], [-1.0]])
        parts = Parts(s, u, (s + u)[:, 0], np.ones(1), np.ones(1))
        assert parts.variances == pytest.approx((2, 3))
        assert parts.factor(0.1) == pytest.approx(0.40825, abs=1e-5)
        alpha, beta = NCLM().shrunk(parts, 0.1)
        assert [alpha[0], beta[0]] == pytest.approx([0.46742, 1.14495], abs=1e-5)

    def test_predicts_by_the_attribute_of_the_row(self):
        """Rows that were not trained on, with the training means."""
        g = np.array([0, 1] * 20)
        x = np.arange(40.0)
        data = table(x, 3 * g + x, binary(g))
        fold = on_training(data, np.arange(30))
        found = predicted(FRRM(penalty=0.0), fold, [1.0])
        assert found[0] == pytest.approx((3 * g + x)[:30], abs=1e-5)


class TestMultiTaskFair:
    def intercepts(self, share, **how):
        """Two groups of targets ±1 and no feature but the intercept."""
        g = np.array([0, 1] * 5)
        given = {"theta": 0.0, "lam": 0.5, "rho": 0.4} | how
        return solved(np.ones((10, 1)), 2.0 * g - 1, g, 2, np.zeros(10, dtype=int), share, **given)[
            :, 0
        ]

    @pytest.mark.parametrize(("lam", "rho", "v"), [(0.5, 0.4, 0.83333), (0.2, 1.0, 0.55556)])
    def test_intercepts_by_hand(self, lam, rho, v):
        assert self.intercepts(1.0, lam=lam, rho=rho) == pytest.approx([0, -v, v], abs=1e-5)

    def test_a_slack_moves_constants_together(self):
        w = self.intercepts(0.0, slack=0.6, rho=1e-9)
        assert w[0] + w[1:] == pytest.approx([-0.3, 0.3], abs=1e-3)

    def test_without_constraint_or_penalty_each_group_has_its_own_regression(self, biased):
        method = MultiTaskFair(attribute="true", theta=0.0, rho=1e-9)
        found = predicted(method, on_training(biased), [1.0])[0]
        for group in (0, 1):
            here = biased.protected[0].groups == group
            x, y = biased.features[here], biased.targets[here, 0]
            assert found[here] == pytest.approx(LinearRegression().fit(x, y).predict(x), abs=1e-3)

    @pytest.mark.parametrize("count", [2, 3])
    def test_equal_means_of_groups(self, count):
        rng = np.random.default_rng(6)
        g = rng.integers(count, size=300)
        x = rng.normal(size=(300, 3)) + g[:, None]
        data = table(x, x @ [1.0, 2.0, 3.0] - g, categorical(g))
        fair = predicted(MultiTaskFair(attribute="true"), on_training(data), [0.0])[0]
        assert np.ptp([fair[g == k].mean() for k in range(count)]) < 1e-7

    def test_identical_groups_have_no_part_of_their_own(self):
        x, y, g = (
            np.tile([1.0, 2.0, 4.0], 2)[:, None],
            np.tile([1.0, 0.0, 5.0], 2),
            [0] * 3 + [1] * 3,
        )
        w = solved(x, y, np.array(g), 2, np.zeros(6, int), 0.0, theta=0.0, lam=0.5, rho=0.1)
        assert w[1] == pytest.approx(w[2])

    def test_a_guessed_group_is_that_of_rows_that_give_it_away(self):
        rng = np.random.default_rng(8)
        g = np.arange(200) % 2
        x = np.column_stack([g + 0.01 * rng.normal(size=200), rng.normal(size=200)])
        data = table(x, x[:, 1] + 4 * g, binary(g))
        prediction = predicted(MultiTaskFair(attribute="true"), on_training(data), [0.2])[0]
        guessed = predicted(MultiTaskFair(trees=30), on_training(data), [0.2])[0]
        assert guessed == pytest.approx(prediction, abs=1e-9)
