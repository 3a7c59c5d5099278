"""Parity of means, distributions and quantiles, against direct counts, SciPy and fairlearn."""

from itertools import combinations

import numpy as np
import pytest
from fairlearn.metrics import MetricFrame
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import ks_2samp

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
