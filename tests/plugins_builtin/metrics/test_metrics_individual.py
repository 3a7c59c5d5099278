"""Generalized entropy, Berk's penalties and ranking parity, by direct sums over rows and pairs."""

from itertools import combinations, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fairbench.metric import Undefined


def entropy(benefit, alpha=2):
    """As aif360 writes it."""
    relative = benefit / benefit.mean()
    return np.sum(relative**alpha - 1) / (len(benefit) * alpha * (alpha - 1))


def test_generalized_entropy_by_direct_sum(metric, sample):
    prediction, target, attribute = sample
    benefit = (prediction - target) / np.ptp(target) + 1
    expected = [entropy(row) for row in benefit]
    values = metric("generalized-entropy")(prediction, target, attribute)
    np.testing.assert_allclose(values, expected)
    members = [attribute.groups == g for g in range(len(attribute.labels))]
    for row in benefit:
        for member in members:
            row[member] = row[member].mean()
    expected = [entropy(row) for row in benefit]
    values = metric("generalized-entropy-between")(prediction, target, attribute)
    np.testing.assert_allclose(values, expected, rtol=1e-6, atol=1e-12)


@pytest.mark.parametrize("name", ["generalized-entropy", "generalized-entropy-between"])
def test_generalized_entropy_needs_positive_benefits(metric, attribute, name):
    target, groups = np.arange(5.0), attribute([0, 1, 0, 1, 0])
    low = target - [0, 0, 0, 0, 4]
    values = metric(name)(np.stack([low + 0.1, low]), target, groups)
    np.testing.assert_array_equal(np.isnan(values), [False, True])
    with pytest.raises(Undefined, match="benefit"):
        metric(name)(low, target, groups)


def berk(row, target, attribute):
    scaled = (target - target.mean()) / target.std()
    similar = np.exp(-np.square(scaled[:, None] - scaled))
    difference = row[:, None] - row
    individual, group = [], []
    for a, b in combinations(range(len(attribute.labels)), 2):
        pairs = np.outer(attribute.groups == a, attribute.groups == b)
        individual.append(np.sum(similar[pairs] * difference[pairs] ** 2) / pairs.sum())
        group.append((np.sum(similar[pairs] * difference[pairs]) / pairs.sum()) ** 2)
    return max(individual), max(group)


def test_berk_by_direct_sum(metric, sample):
    prediction, target, attribute = sample
    individual, group = zip(*[berk(row, target, attribute) for row in prediction], strict=True)
    values = metric("berk-individual")(prediction, target, attribute)
    np.testing.assert_allclose(values, individual)
    np.testing.assert_allclose(metric("berk-group")(prediction, target, attribute), group)


def test_berk_lets_only_the_group_penalty_cancel(metric, attribute):
    target, groups = np.zeros(4), attribute([0, 0, 1, 1])
    prediction = np.array([1.0, -1.0, 1.0, -1.0])
    assert metric("berk-individual")(prediction, target, groups) == pytest.approx(2)
    assert metric("berk-group")(prediction, target, groups) == pytest.approx(0)


def ranked(row, target, groups, k):
    """Rightly ranked pairs and all pairs, by group of the first and of the second row."""
    right, pairs = np.zeros((2, k, k))
    for i, j in product(range(len(row)), repeat=2):
        if target[i] > target[j]:
            pairs[groups[i], groups[j]] += 1
            right[groups[i], groups[j]] += row[i] > row[j]
    return right, pairs


def gaps(row, target, groups, k):
    right, pairs = ranked(row, target, groups, k)
    other = ~np.eye(k, dtype=bool)
    return {
        "ranking-parity": np.ptp(right / pairs),
        "ranking-parity-cross": np.ptp((right / pairs)[other]),
        "ranking-parity-marginal": np.ptp(right.sum(axis=1) / pairs.sum(axis=1)),
    }


def test_ranking_by_direct_count(metric, sample):
    prediction, target, attribute = sample
    expected = [gaps(r, target, attribute.groups, len(attribute.labels)) for r in prediction]
    for name in expected[0]:
        values = metric(name)(prediction, target, attribute)
        np.testing.assert_allclose(values, [found[name] for found in expected], atol=1e-12)


@given(n=st.integers(6, 35), levels=st.integers(2, 6), seed=st.integers(0, 10_000))
@settings(max_examples=60, deadline=None)
def test_ranking_of_any_size_and_any_ties(metric, attribute, n, levels, seed):
    rng = np.random.default_rng(seed)
    groups = np.arange(n) % 2
    target = rng.integers(0, levels, n).astype(float)
    target[:4] = 0, 0, 1, 1  # so that every pair of groups has a pair of rows
    prediction = rng.integers(0, levels, (2, n)).astype(float)
    expected = [gaps(row, target, groups, 2) for row in prediction]
    for name in expected[0]:
        values = metric(name)(prediction, target, attribute(groups))
        np.testing.assert_allclose(values, [found[name] for found in expected], atol=1e-12)


def test_ranking_needs_pairs(metric, attribute):
    target, groups = np.array([1.0, 2, 3, 4]), attribute([0, 0, 1, 1])
    with pytest.raises(Undefined, match="no pair"):
        metric("ranking-parity")(target, target, groups)
    assert metric("ranking-parity-marginal")(target, target, groups) == 0
