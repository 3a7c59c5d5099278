"""Values of groups and their standard errors, against closed forms and other libraries."""

import numpy as np
import pytest
from scipy import stats

from fairbench.analyze import HeldOut, group_values
from fairbench.analyze.group_values import GroupValues, largest_t, welch_p
from fairbench.dataset import Protected


def residual(prediction, target, protected):
    return prediction - target


def attribute(groups, k=None):
    groups = np.asarray(groups, dtype=np.int64)
    names = tuple("abcdef"[: k or groups.max() + 1])
    return Protected("a", "categorical", groups.astype(float), groups, names)


def of_rows(values, groups, units=None):
    every = np.arange(len(values))
    tested = [HeldOut(values[None], np.zeros(len(values)), every)]
    return group_values(residual, attribute(groups), every if units is None else units, tested)


def test_one_split_gives_means_and_their_standard_errors():
    rng = np.random.default_rng(0)
    values, groups = rng.normal(size=50), np.repeat([0, 1, 2], [5, 15, 30])
    found = of_rows(values, groups)
    parts = [values[groups == g] for g in range(3)]
    assert found.values == pytest.approx([part.mean() for part in parts])
    expected = np.diag([part.var(ddof=1) / len(part) for part in parts])
    assert found.covariance == pytest.approx(expected)
    assert found.members.tolist() == [5, 15, 30]
    t = stats.ttest_ind(parts[0], parts[2], equal_var=False).statistic
    difference, error = found.differences
    assert difference[0, 2] / error[0, 2] == pytest.approx(t)


def test_largest_t_and_welch_agree_with_scipy():
    rng = np.random.default_rng(1)
    values, groups = rng.normal(size=60), np.repeat([0, 1, 2], [10, 20, 30])
    found = of_rows(values, groups)
    parts = [values[groups == g] for g in range(3)]
    pairs = [(0, 1), (0, 2), (1, 2)]
    t = [stats.ttest_ind(parts[a], parts[b], equal_var=False).statistic for a, b in pairs]
    assert largest_t(found) == pytest.approx(np.abs(t).max())
    expected = stats.f_oneway(*parts, equal_var=False).pvalue
    assert welch_p(found) == pytest.approx(expected)


def test_a_row_in_many_splits_is_one_row():
    rng = np.random.default_rng(2)
    values, groups = rng.normal(size=40), np.arange(40) % 2
    once = of_rows(values, groups)
    every = np.arange(40)
    many = [HeldOut(values[None], np.zeros(40), every)] * 7
    again = group_values(residual, attribute(groups), every, many)
    assert again.values == pytest.approx(once.values)
    assert again.covariance == pytest.approx(once.covariance)


def test_rows_of_one_cluster_are_one_unit():
    rng = np.random.default_rng(3)
    person = np.repeat(np.arange(8), 5)
    values = np.repeat(rng.normal(size=8), 5)  # all rows of a person alike
    found = of_rows(values, person % 2, person)
    means = values[::5]
    expected = [means[g::2].var(ddof=1) / 4 for g in (0, 1)]
    assert np.diag(found.covariance) == pytest.approx(expected)
    assert found.covariance[0, 1] == 0


def test_groups_within_clusters_are_paired():
    rng = np.random.default_rng(4)
    level = 10 * rng.normal(size=(12, 1))
    table = level + rng.normal(size=(12, 2)) + [0.0, 0.5]
    person, groups = np.repeat(np.arange(12), 2), np.tile([0, 1], 12)
    found = of_rows(table.ravel(), groups, person)
    test = stats.ttest_rel(table[:, 0], table[:, 1])
    assert largest_t(found) == pytest.approx(abs(test.statistic))
    assert welch_p(found) == pytest.approx(test.pvalue)


def test_a_split_without_a_group_is_left_out():
    values = np.arange(6.0)
    groups = attribute([0, 0, 0, 1, 1, 1])
    splits = [
        HeldOut(values[None, part], np.zeros(len(part)), part)
        for part in (np.arange(6), np.array([0, 1]))
    ]
    found = group_values(residual, groups, np.arange(6), splits)
    assert found.values.tolist() == [1.0, 4.0]
    assert group_values(residual, groups, np.arange(6), splits[1:]) is None


def test_what_cannot_be_known_is_nan():
    single = of_rows(np.array([1.0, 2.0, 3.0]), [0, 1, 1])
    assert np.isnan(largest_t(single))
    assert np.isnan(welch_p(single))
    same = GroupValues(np.zeros(2), np.zeros((4, 2)), np.array([2, 2]))
    assert largest_t(same) == 0
    apart = GroupValues(np.array([0.0, 1.0]), np.zeros((4, 2)), np.array([2, 2]))
    assert np.isinf(largest_t(apart))
