"""HGR, GeDI, distance correlation, HSIC and CKA, against dcor and explicit matrices."""

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.cross_decomposition import CCA

from fairbench.metric import Undefined

HGR = ["hgr-kde", "hgr-polynomial"]


def dcor_of(prediction, a):
    """dcor's distance correlation; imported here, as it first compiles itself for half a minute."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the compiler's, not ours
        import dcor
    return float(dcor.distance_correlation(prediction, a, method="naive"))


def normal_pair(correlation, n, attribute):
    rng = np.random.default_rng(4)
    a, noise = rng.normal(size=(2, n))
    values = correlation * a + np.sqrt(1 - correlation**2) * noise
    return values, attribute(a > 0, "continuous", a)


@pytest.mark.parametrize("correlation", [0.0, 0.5, -0.8])
def test_hgr_of_a_bivariate_normal_is_its_correlation(metric, attribute, correlation):
    """The maximal correlation of jointly normal variables is |ρ| (Gebelein 1941)."""
    n = 20_000
    prediction, age = normal_pair(correlation, n, attribute)
    value = metric("hgr-polynomial")(prediction, prediction, age)
    assert value == pytest.approx(abs(correlation), abs=0.04)
    # Smoothing with a product kernel of width h adds h² to both variances.
    shrunk = abs(correlation) / (1 + n ** (-1 / 3))
    value = metric("hgr-kde")(prediction, prediction, age)
    assert value == pytest.approx(shrunk, abs=0.04)


@pytest.mark.parametrize("name", HGR)
def test_hgr_sees_what_correlation_does_not(metric, attribute, name):
    a = np.linspace(-1, 1, 2001)
    age = attribute(a > 0, "continuous", a)
    assert abs(np.corrcoef(a**2, a)[0, 1]) < 1e-12
    assert metric(name)(a**2, a, age) > 0.8


def test_hgr_polynomial_is_the_first_canonical_correlation(metric, continuous):
    prediction, target, age = continuous
    a = (age.values - age.values.mean()) / age.values.std()
    expected = []
    for row in prediction:
        x = (row - row.mean()) / row.std()
        powers = [np.stack([v**d for d in range(1, 6)], axis=1) for v in (x, a)]
        first = CCA(n_components=1, max_iter=100_000, tol=1e-14).fit_transform(*powers)
        expected.append(np.corrcoef(first[0][:, 0], first[1][:, 0])[0, 1])
    values = metric("hgr-polynomial")(prediction, target, age)
    np.testing.assert_allclose(values, expected, rtol=1e-4)


def test_hgr_of_a_binary_prediction_is_its_correlation(metric, discrete, attribute):
    """Every function of a binary variable is a line, and so is every function of two groups."""
    groups = np.repeat([0, 1], [60, 40])
    prediction = np.concatenate([np.arange(60) % 3 == 0, np.arange(40) % 4 > 0]).astype(float)
    expected = abs(np.corrcoef(prediction, groups)[0, 1])
    value = metric("hgr-polynomial")(prediction, prediction, attribute(groups))
    assert value == pytest.approx(expected)


def test_hgr_kde_by_explicit_densities(metric, sample):
    """The grid and the linear binning stand for sums of kernels over the rows."""
    prediction, target, attribute = sample
    n = len(target)
    continuous = attribute.kind == "continuous"
    width = n ** (-1 / 6 if continuous else -1 / 5)
    grid = np.linspace(-8, 8, 321)

    def smooth(values):
        scaled = (values - values.mean()) / values.std()
        return np.exp(-0.5 * np.square((grid[:, None] - scaled) / width))

    groups = np.arange(len(attribute.labels))[:, None]
    side = smooth(attribute.values) if continuous else (attribute.groups == groups).astype(float)
    expected = []
    for row in prediction:
        density = smooth(row) @ side.T
        density /= density.sum()
        scale = np.sqrt(np.outer(density.sum(axis=1), density.sum(axis=0)))
        expected.append(np.linalg.svd(density / scale, compute_uv=False)[1])
    np.testing.assert_allclose(
        metric("hgr-kde")(prediction, target, attribute), expected, rtol=0.02
    )


@pytest.mark.parametrize("name", [*HGR, "distance-correlation"])
def test_a_constant_prediction_depends_on_nothing(metric, sample, name):
    _, target, attribute = sample
    values = metric(name)(np.full((2, len(target)), 0.1), target, attribute)
    np.testing.assert_array_equal(values, 0)


@pytest.mark.parametrize("name", ["gedi", "gedi-double"])
def test_gedi_of_two_groups_that_are_told_apart_is_the_gap(metric, attribute, name):
    """With ŷ a function of A, HGR is 1 and σ(ŷ)/σ(A) the difference of the two predictions."""
    groups = np.repeat([0, 1], [70, 30])
    prediction = np.stack([5.0 + 3 * groups, 1.0 * groups])
    values = metric(name)(prediction, prediction[0], attribute(groups))
    np.testing.assert_allclose(values, [3, 1])


def test_double_gedi_is_hgr_in_units_of_the_attribute(metric, continuous, attribute):
    prediction, target, age = continuous
    expected = metric("hgr-polynomial")(prediction, target, age)
    expected = expected * prediction.std(axis=1) / age.values.std()
    np.testing.assert_allclose(metric("gedi-double")(prediction, target, age), expected)


@pytest.mark.parametrize("name", ["gedi", "gedi-double"])
def test_gedi_is_per_unit_of_the_attribute(metric, continuous, attribute, name):
    prediction, target, age = continuous
    months = attribute(age.groups, "continuous", 12 * age.values)
    expected = metric(name)(prediction, target, age) / 12
    np.testing.assert_allclose(metric(name)(prediction, target, months), expected)


def embedded(attribute):
    """One-hot rows are √2 apart: the discrete distance, but for a factor that cancels."""
    if attribute.kind == "continuous":
        return attribute.values
    return np.eye(len(attribute.labels))[attribute.groups]


def test_distance_correlation_is_that_of_dcor(metric, sample):
    prediction, target, attribute = sample
    expected = [dcor_of(row, embedded(attribute)) for row in prediction]
    values = metric("distance-correlation")(prediction, target, attribute)
    np.testing.assert_allclose(values, expected)


@given(n=st.integers(2, 40), levels=st.integers(2, 9), seed=st.integers(0, 10_000))
@settings(max_examples=60, deadline=None)
def test_distance_correlation_of_any_size_and_any_ties(metric, attribute, n, levels, seed):
    rng = np.random.default_rng(seed)
    prediction = rng.integers(0, levels, (3, n)).astype(float)
    a = rng.integers(0, levels, n).astype(float)
    a[:2] = 0, 1
    age = attribute(np.arange(n) % 2, "continuous", a)
    expected = [dcor_of(row, a) for row in prediction]
    values = metric("distance-correlation")(prediction, prediction[0], age)
    np.testing.assert_allclose(values, expected, atol=1e-7)


def gaussian(values):
    scaled = (values - values.mean()) / values.std()
    return np.exp(-0.5 * np.square(scaled[:, None] - scaled))


def kernels(row, attribute):
    n = len(row)
    centre = np.eye(n) - 1 / n
    discrete = attribute.groups[:, None] == attribute.groups
    own = gaussian(attribute.values) if attribute.kind == "continuous" else discrete.astype(float)
    return centre @ gaussian(row) @ centre, centre @ own @ centre


def test_hsic_and_cka_by_explicit_matrices(metric, sample):
    prediction, target, attribute = sample
    hsic, cka = [], []
    for row in prediction:
        k, kernel = kernels(row, attribute)
        hsic.append(np.trace(k @ kernel) / (len(row) - 1) ** 2)
        cka.append(np.trace(k @ kernel) / np.sqrt(np.trace(k @ k) * np.trace(kernel @ kernel)))
    values = metric("hsic")(prediction, target, attribute)
    np.testing.assert_allclose(values, hsic, rtol=1e-8)
    np.testing.assert_allclose(metric("cka")(prediction, target, attribute), cka, rtol=1e-8)


def test_hsic_with_outliers_and_two_distinct_predictions(metric, attribute):
    """Trials whose kernels have very different ranks share a block."""
    rng = np.random.default_rng(0)
    prediction = np.stack(
        [rng.standard_cauchy(80), np.repeat([0.0, 1.0], 40), 10.0 ** rng.uniform(-6, 6, 80)]
    )
    groups = attribute(np.arange(80) % 3)
    expected = [np.trace(np.matmul(*kernels(row, groups))) / 79**2 for row in prediction]
    values = metric("hsic")(prediction, prediction[0], groups)
    np.testing.assert_allclose(values, expected, rtol=1e-8)


def test_cka_of_an_attribute_with_itself_is_one(metric, attribute):
    a = np.random.default_rng(0).normal(size=100)
    age = attribute(a > 0, "continuous", a)
    assert metric("cka")(3 * a + 1, a, age) == pytest.approx(1)
    with pytest.raises(Undefined, match="all equal"):
        metric("cka")(np.ones(100), a, age)
