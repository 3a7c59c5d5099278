"""Parity of means, distributions and quantiles, against direct counts, SciPy and fairlearn."""

from itertools import combinations

import numpy as np
import pytest
from fairlearn.metrics import MetricFrame
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import ks_2samp, norm, wasserstein_distance

from fairbench.dataset import Protected
from fairbench.metric import Undefined


def split(row, attribute):
    return [row[attribute.groups == g] for g in range(len(attribute.labels))]


def worst(prediction, attribute, distance):
    """The largest distance between two groups, for each trial."""
    return [
        max(distance(a, b) for a, b in combinations(split(row, attribute), 2)) for row in prediction
    ]


def test_mean_parity_is_that_of_fairlearn(metric, sample):
    prediction, target, attribute = sample

    def mean(y_true, y_pred):
        return np.mean(y_pred)

    expected = [
        MetricFrame(
            metrics=mean, y_true=target, y_pred=row, sensitive_features=attribute.groups
        ).difference()
        for row in prediction
    ]
    np.testing.assert_allclose(metric("mean-parity")(prediction, target, attribute), expected)


def test_scaled_mean_parity_divides_by_the_pooled_sample_deviation(metric, sample):
    prediction, target, attribute = sample
    expected = []
    for row in prediction:
        groups = split(row, attribute)
        freedom = [len(g) - 1 for g in groups]
        variance = sum(f * np.var(g, ddof=1) for f, g in zip(freedom, groups, strict=True))
        means = [g.mean() for g in groups]
        expected.append((max(means) - min(means)) / np.sqrt(variance / sum(freedom)))
    values = metric("mean-parity-scaled")(prediction, target, attribute)
    np.testing.assert_allclose(values, expected)


def test_scaled_mean_parity_by_hand(metric, attribute):
    # Each group has sample variance 2 (population variance 1); the means are 4 apart.
    value = metric("mean-parity-scaled")(
        np.array([0.0, 2, 4, 6]), np.zeros(4), attribute([0, 0, 1, 1])
    )
    assert value == pytest.approx(4 / np.sqrt(2))


def test_scaled_mean_parity_of_a_constant_is_undefined(metric, attribute):
    groups = attribute([0, 0, 0, 1, 1, 1])
    with pytest.raises(Undefined, match="do not vary"):
        metric("mean-parity-scaled")(np.full(6, 0.1), np.zeros(6), groups)
    assert metric("mean-parity")(np.full(6, 0.1), np.zeros(6), groups) == pytest.approx(0)


def test_ks_is_that_of_scipy(metric, sample):
    prediction, target, attribute = sample
    pairwise = worst(prediction, attribute, lambda a, b: ks_2samp(a, b).statistic)
    values = metric("ks-parity-pairwise")(prediction, target, attribute)
    np.testing.assert_allclose(values, pairwise)
    whole = [
        max(ks_2samp(own, row).statistic for own in split(row, attribute)) for row in prediction
    ]
    values = metric("ks-parity")(prediction, target, attribute)
    np.testing.assert_allclose(values, whole)


def test_ks_of_two_groups_by_their_shares(metric, attribute):
    """With two groups F_a − F = p_b (F_a − F_b): the larger share of the other decides."""
    rng = np.random.default_rng(0)
    prediction, groups = rng.normal(size=50), attribute(np.repeat([0, 1], [10, 40]))
    pairwise = metric("ks-parity-pairwise")(prediction, prediction, groups)
    assert metric("ks-parity")(prediction, prediction, groups) == pytest.approx(0.8 * pairwise)


@pytest.mark.parametrize("name", ["ks-parity", "ks-parity-pairwise"])
@given(power=st.sampled_from([1, 3, 5]), seed=st.integers(0, 1000))
@settings(max_examples=20, deadline=None)
def test_ks_sees_ranks_alone(metric, attribute, name, power, seed):
    rng = np.random.default_rng(seed)
    prediction = rng.integers(-4, 5, 30).astype(float)
    groups = attribute(np.arange(30) % 3)
    before = metric(name)(prediction, prediction, groups)
    assert metric(name)(prediction**power, prediction, groups) == pytest.approx(before)
    assert 0 <= before <= 1


def test_wasserstein_is_that_of_scipy(metric, sample):
    prediction, target, attribute = sample
    expected = worst(prediction, attribute, wasserstein_distance)
    values = metric("wasserstein-parity")(prediction, target, attribute)
    np.testing.assert_allclose(values, expected)


def test_barycenter_of_groups_of_equal_size_is_the_mean_of_sorted_rows(metric, attribute):
    rng = np.random.default_rng(2)
    prediction = rng.normal(0, [[1], [2], [4]], (3, 50)).ravel()
    own = np.sort(prediction.reshape(3, 50), axis=1)
    expected = np.square(own - own.mean(axis=0)).mean()
    groups = attribute(np.repeat(np.arange(3), 50))
    value = metric("wasserstein-barycenter")(prediction, prediction, groups)
    assert value == pytest.approx(expected)


def test_barycenter_of_two_groups(metric, attribute):
    """Two groups are p_a p_b W₂² from their barycenter; W₂² by a fine grid of quantiles."""
    rng = np.random.default_rng(2)
    a, b = rng.normal(0, 1, 40), rng.normal(1, 2, 60)
    grid = (np.arange(12000) + 0.5) / 12000
    quantiles = [np.quantile(x, grid, method="inverted_cdf") for x in (a, b)]
    expected = 0.4 * 0.6 * np.square(quantiles[0] - quantiles[1]).mean()
    groups = attribute(np.repeat([0, 1], [40, 60]))
    prediction = np.concatenate([a, b])
    value = metric("wasserstein-barycenter")(prediction, prediction, groups)
    assert value == pytest.approx(expected)


@given(shift=st.floats(-5, 5))
@settings(max_examples=20, deadline=None)
def test_wasserstein_of_a_shift(metric, attribute, shift):
    own = np.random.default_rng(0).normal(size=30)
    prediction = np.concatenate([own, own + shift])
    groups = attribute(np.repeat([0, 1], 30))
    distance = metric("wasserstein-parity")(prediction, prediction, groups)
    cost = metric("wasserstein-barycenter")(prediction, prediction, groups)
    assert distance == pytest.approx(abs(shift), abs=1e-12)
    assert cost == pytest.approx(shift**2 / 4, abs=1e-12)


def test_quantile_parity_by_direct_count(metric, sample):
    prediction, target, attribute = sample
    largest, mean = [], []
    for row in prediction:
        gaps = []
        for q in np.arange(1, 10) / 10:
            threshold = np.quantile(row, q, method="inverted_cdf")
            above = [np.mean(own >= threshold) for own in split(row, attribute)]
            gaps.append(max(above) - min(above))
        largest.append(max(gaps))
        mean.append(np.mean(gaps))
    np.testing.assert_allclose(metric("quantile-parity")(prediction, target, attribute), largest)
    np.testing.assert_allclose(metric("quantile-parity-mean")(prediction, target, attribute), mean)


def test_generalized_demographic_parity_of_groups(metric, discrete):
    prediction, target, attribute = discrete
    expected = [
        sum(len(own) / len(row) * abs(own.mean() - row.mean()) for own in split(row, attribute))
        for row in prediction
    ]
    values = metric("generalized-demographic-parity")(prediction, target, attribute)
    np.testing.assert_allclose(values, expected)


def test_generalized_demographic_parity_of_values_by_direct_kernels(metric, continuous):
    prediction, target, given = continuous
    # Rounded, so that rows share values, which the metric smooths once only.
    values = np.round(given.values / 3)
    rounded = Protected("age", "continuous", values, given.groups, given.labels)
    low, high = np.quantile(values, [0.25, 0.75])
    width = 0.9 * min(values.std(ddof=1), (high - low) / 1.34) * len(values) ** -0.2
    kernel = norm.pdf(values[:, None] - values, scale=width)
    smooth = prediction @ kernel / kernel.sum(axis=0)
    expected = np.abs(smooth - prediction.mean(axis=1, keepdims=True)).mean(axis=1)
    found = metric("generalized-demographic-parity")(prediction, target, rounded)
    np.testing.assert_allclose(found, expected)


def test_generalized_demographic_parity_of_a_line(metric, attribute):
    """Closed form: ŷ = s uniform on [0, 1] has E|s − 1/2| = 1/4, but for the kernel's width."""
    s = (np.arange(4000) + 0.5) / 4000
    age = attribute(s > 0.5, "continuous", s)
    value = metric("generalized-demographic-parity")(s, s, age)
    assert value == pytest.approx(0.25, abs=0.005)
    constant = attribute(s > 0.5, "continuous", np.ones(4000))
    with pytest.raises(Undefined, match="same on every row"):
        metric("generalized-demographic-parity")(s, s, constant)
