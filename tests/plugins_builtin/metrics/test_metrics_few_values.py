"""Maximal correlations where numbers are few, far apart or close together; constants."""

import numpy as np
import pytest
from sklearn.tree import DecisionTreeRegressor

from fairbench.metric import Undefined
from fairbench_metrics.hgr import _polynomials


def explained(prediction, groups):
    """The maximal correlation with two groups where ŷ takes few values.

    Every function of the values is a sum of indicators, so that it is the multiple correlation
    of the group with them.
    """
    member = groups - groups.mean()
    mean = {value: member[prediction == value].mean() for value in np.unique(prediction)}
    return np.std([mean[value] for value in prediction]) / member.std()


@pytest.mark.parametrize("levels", [2, 3, 4, 5, 6])
def test_few_distinct_predictions(metric, attribute, levels):
    rng = np.random.default_rng(levels)
    groups = rng.integers(0, 2, 500)
    values = 0.1 + np.sort(rng.normal(size=levels))
    prediction = values[rng.integers(0, levels, (20, 500))]
    expected = [explained(row, groups) for row in prediction]
    found = metric("hgr-polynomial")(prediction, prediction[0], attribute(groups))
    np.testing.assert_allclose(found, expected, rtol=1e-10)


def test_three_leaf_trees(metric, attribute):
    rng = np.random.default_rng(0)
    groups = rng.integers(0, 2, 400)
    x = rng.normal(size=(400, 3)) + 0.2 * groups[:, None]
    target = x.sum(axis=1) + rng.normal(size=400)
    rows = [
        DecisionTreeRegressor(max_leaf_nodes=3, random_state=seed, max_features=1)
        .fit(x, target)
        .predict(x)
        for seed in range(40)
    ]
    found = metric("hgr-polynomial")(np.stack(rows), target, attribute(groups))
    np.testing.assert_allclose(found, [explained(row, groups) for row in rows], rtol=1e-10)


@pytest.mark.parametrize("levels", [2, 3, 4])
def test_few_distinct_values_of_the_attribute(metric, attribute, levels):
    rng = np.random.default_rng(levels)
    codes = rng.integers(0, levels, 600)
    age = attribute(codes > 0, "continuous", np.array([18.0, 30.5, 31.0, 99.0])[codes])
    prediction = rng.normal(size=(10, 600)) + codes
    as_groups = metric("hgr-polynomial")(prediction, prediction[0], attribute(codes))
    found = metric("hgr-polynomial")(prediction, prediction[0], age)
    np.testing.assert_allclose(found, as_groups, rtol=1e-9)


@pytest.mark.parametrize("outlier", [1e3, 1e6, 1e9, 1e10])
def test_an_outlier_leaves_the_others_their_polynomials(metric, attribute, outlier):
    """Far away it takes one degree for itself, and four are left to the other rows."""
    rng = np.random.default_rng(1)
    groups = np.arange(3000) % 2
    prediction = rng.normal(size=3000) * (1 + groups)
    prediction[0] = outlier
    rest = prediction[1:]
    x = np.stack([np.ones(2999), *(rest**k for k in range(1, 5))], axis=1)
    indicator = np.zeros((3000, 1))
    indicator[0] = 1
    functions = np.hstack([np.vstack([np.zeros(5), x]), indicator])
    member = groups - groups.mean()
    fitted = functions @ np.linalg.lstsq(functions, member, rcond=None)[0]
    value = metric("hgr-polynomial")(prediction, prediction, attribute(groups))
    tolerance = 1e-2 if outlier == 1e3 else 1e-4
    assert value == pytest.approx(np.std(fitted) / member.std(), rel=tolerance)


@pytest.mark.parametrize("width", [1e-3, 1e-6, 1e-9])
def test_two_tight_clusters(metric, attribute, width):
    """All polynomials of degree 5 remain, however tight: the exact answer in whole numbers."""
    rng = np.random.default_rng(2)
    groups = np.arange(2000) % 2
    within = rng.integers(-3, 4, 2000)
    side = (rng.random(2000) < 0.3 + 0.4 * groups).astype(float)
    # At width 0 polynomials of degree 5 are, on each side, those of degree 2.
    functions = np.stack([side_ * within**k for side_ in (side, 1 - side) for k in range(3)], 1)
    member = groups - groups.mean()
    fitted = functions @ np.linalg.lstsq(functions, member, rcond=None)[0]
    value = metric("hgr-polynomial")(side + width * within, side, attribute(groups))
    assert value == pytest.approx(np.std(fitted) / member.std(), rel=1e-2 if width > 1e-4 else 1e-4)


@pytest.mark.parametrize("spread", [1.0, 1e-6, 1e6])
@pytest.mark.parametrize("shift", [0.0, 1e3])
def test_polynomials_are_orthonormal_to_each_other_and_to_one(spread, shift):
    rng = np.random.default_rng(3)
    values = shift + spread * np.stack(
        [rng.normal(size=200), rng.standard_cauchy(200), rng.integers(0, 9, 200)]
    )
    for basis in _polynomials(values):
        whole = np.vstack([np.ones(200), basis])
        np.testing.assert_allclose(whole @ whole.T / 200, np.eye(6), atol=1e-12)


def test_groups_of_equal_means_and_other_spreads_have_no_impact(metric, attribute):
    """Only the double kernel, which transforms ŷ too, sees the spreads."""
    rng = np.random.default_rng(0)
    own = rng.normal(size=1000)
    own -= own.mean()
    prediction, groups = np.concatenate([own, 3 * own]), attribute(np.repeat([0, 1], 1000))
    assert metric("gedi")(prediction, prediction, groups) == pytest.approx(0, abs=1e-12)
    assert metric("gedi-double")(prediction, prediction, groups) > 1


def test_generalised_disparate_impact_of_two_groups_is_mean_parity(metric, attribute):
    rng = np.random.default_rng(4)
    groups = attribute(rng.integers(0, 2, 300))
    prediction = rng.normal(size=(4, 300)) * (1 + groups.groups) + groups.groups
    np.testing.assert_allclose(
        metric("gedi")(prediction, prediction[0], groups),
        metric("mean-parity")(prediction, prediction[0], groups),
    )


def test_generalised_disparate_impact_is_a_regression_on_powers(metric, continuous):
    prediction, target, age = continuous
    z = (age.values - age.values.mean()) / age.values.std()
    powers = np.stack([z**k for k in range(6)], axis=1)
    fitted = powers @ np.linalg.lstsq(powers, prediction.T, rcond=None)[0]
    expected = fitted.std(axis=0) / age.values.std()
    np.testing.assert_allclose(metric("gedi")(prediction, target, age), expected)


def test_generalised_disparate_impact_of_a_line_is_its_slope(metric, attribute):
    a = np.random.default_rng(5).normal(40, 12, 500)
    age = attribute(a > 40, "continuous", a)
    assert metric("gedi")(7 - 0.3 * a, a, age) == pytest.approx(0.3)


INDEPENDENCE = [
    "mean-parity", "ks-parity", "ks-parity-pairwise", "wasserstein-parity",
    "wasserstein-barycenter", "quantile-parity", "quantile-parity-mean",
    "generalized-demographic-parity", "independence-information", "separation-mean",
    "separation-ks", "separation-wasserstein", "separation-information", "berk-individual",
    "berk-group", "hgr-kde", "hgr-polynomial", "distance-correlation", "hsic", "ranking-parity",
]  # fmt: skip
RATIOS = [f"{c}-ratio-{e}" for c in ("independence", "separation") for e in ("logistic", "binned")]


@pytest.mark.parametrize("noise", [0.0, 1e-16])
@pytest.mark.parametrize("constant", [0.1, -31.7, 1e6 / 3])
@pytest.mark.parametrize("name", [*INDEPENDENCE, *RATIOS, "gedi", "gedi-double"])
def test_constant_predictions_have_exactly_no_disparity(metric, sample, name, constant, noise):
    """Also where they were computed row by row and differ in their last digit."""
    _, target, attribute = sample
    if "gedi" in name and attribute.kind == "categorical":
        pytest.skip("takes a number")
    wobble = 1 + noise * np.random.default_rng(0).choice([-2, 0, 2], (2, len(target)))
    values = metric(name)(constant * wobble, target, attribute)
    assert values.tolist() == [1.0 if name in RATIOS else 0.0] * 2


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("r2", "vary"),
        ("r2-disparity", "vary"),
        ("generalized-entropy", "same"),
        ("bounded-group-loss", "same"),
    ],
)
def test_targets_that_differ_by_rounding_alone_are_all_the_same(metric, attribute, name, reason):
    target = 0.1 * (1 + 1e-16 * np.random.default_rng(0).choice([-2, 0, 2], 60))
    assert np.ptp(target) > 0
    with pytest.raises(Undefined, match=reason):
        metric(name)(np.arange(60.0), target, attribute(np.arange(60) % 2))


def test_an_attribute_that_differs_by_rounding_alone_is_the_same_on_every_row(metric, attribute):
    values = 0.1 * (1 + 1e-16 * np.random.default_rng(0).choice([-2, 0, 2], 60))
    age = attribute(np.arange(60) % 2, "continuous", values)
    with pytest.raises(Undefined, match="the same on every row"):
        metric("distance-correlation")(np.arange(60.0), np.arange(60.0), age)
