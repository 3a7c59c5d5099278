"""Intervals by group and evidence by pair, against other libraries."""

import numpy as np
import pytest
from scipy import stats

from fairbench.analyze import HeldOut, Run, View, group_values, holm
from fairbench.analyze.group_evidence import pairs_of
from fairbench.dataset import Protected


def residual(prediction, target, protected):
    return prediction - target


def values_of(values, groups, units=None):
    groups = np.asarray(groups)
    attribute = Protected(
        "a", "categorical", 1.0 * groups, groups, tuple("abc")[: groups.max() + 1]
    )
    every = np.arange(len(values))
    tested = [HeldOut(values[None], np.zeros(len(values)), every)]
    return group_values(residual, attribute, every if units is None else units, tested)


def test_pairs_are_welchs_tests_adjusted_by_holm():
    rng = np.random.default_rng(0)
    groups = np.repeat([0, 1, 2], [6, 12, 30])
    values = rng.normal(size=48) * (1 + groups) + 2.0 * (groups == 2)
    parts = [values[groups == g] for g in range(3)]
    found = pairs_of(values_of(values, groups))
    p = []
    for (g, h), pair in zip([(0, 1), (0, 2), (1, 2)], found, strict=True):
        test = stats.ttest_ind(parts[g], parts[h], equal_var=False)
        limits = test.confidence_interval(0.95)
        assert pair[:4] == pytest.approx(
            (parts[g].mean() - parts[h].mean(), limits.low, limits.high, test.pvalue)
        )
        p.append(test.pvalue)
    assert [pair[4] for pair in found] == pytest.approx(holm(np.array(p)))


def test_groups_that_share_clusters_are_paired():
    rng = np.random.default_rng(1)
    table = 5 * rng.normal(size=(9, 1)) + rng.normal(size=(9, 2))
    ((difference, low, high, p, _, _),) = pairs_of(
        values_of(table.ravel(), np.tile([0, 1], 9), np.repeat(np.arange(9), 2))
    )
    test = stats.ttest_rel(table[:, 0], table[:, 1])
    limits = test.confidence_interval(0.95)
    expected = (test.statistic * test._standard_error, limits.low, limits.high, test.pvalue)
    assert (difference, low, high, p) == pytest.approx(expected)


def test_evidence_in_words():
    groups = np.repeat([0, 1, 2], [40, 40, 1])
    values = np.random.default_rng(2).normal(size=81) + 3.0 * (groups == 1)
    words = [pair[-1] for pair in pairs_of(values_of(values, groups))]
    assert words == ["strong", "unknown", "unknown"]
    alike = pairs_of(values_of(np.tile([1.0, 2.0], 10), np.repeat([0, 1], 10)))
    assert alike[0][-1] == "within chance"


def test_intervals_hold_what_they_promise():
    """Twelve people, ten rows each, tested in overlapping splits: coverage of the group's mean."""
    rng = np.random.default_rng(3)
    person = np.repeat(np.arange(24), 10)
    groups = person % 2
    attribute = Protected("a", "binary", 1.0 * groups, groups, ("x", "y"))
    covered = []
    for _ in range(300):
        values = rng.normal(size=24)[person] + 0.5 * rng.normal(size=240)
        parts = [np.flatnonzero(np.isin(person, rng.permutation(24)[:18])) for _ in range(3)]
        splits = [HeldOut(values[None, part], np.zeros(len(part)), part) for part in parts]
        found = group_values(residual, attribute, person, splits)
        half = stats.t.ppf(0.975, found.members - 1) * np.sqrt(np.diag(found.covariance))
        covered += (np.abs(found.values) <= half).tolist()
    assert 0.92 <= np.mean(covered) <= 0.98


def test_of_a_run(make_run):
    def predict(trial, y, groups, rng):
        wrong = 1.0 if trial.method == "base" else 0.0
        return y + wrong * groups[:, None] + rng.normal(size=y.shape) * 0.3

    folder = make_run(splits=4, rows=200, predict=predict, metrics=("rmse", "residual-gap"))
    run = Run(folder.path)
    pairs = run.group_pairs(View("rmse", "residual-gap")).set_index("method")
    assert pairs["evidence"].to_dict() == {"base": "strong", "tuned": "within chance"}
    groups = run.group_intervals(View("rmse", "residual-gap")).set_index(["method", "group"])
    own = groups.loc[("base", "m")]
    assert own["low"] < 1.0 < own["high"]
    assert own["high"] - own["low"] < 0.3
    rows = folder.rows("toy")
    tested = np.unique(np.concatenate([split.test for split in rows.splits]))
    assert own["units"] == (rows.protected[0].groups[tested] == 1).sum()


def test_groups_too_small_to_be_compared_are_left_out():
    rng = np.random.default_rng(5)
    groups = np.repeat([0, 1, 2], [20, 3, 30])
    values = rng.normal(size=53) + 5.0 * (groups == 1)
    every = np.arange(53)
    names = ("a", "tiny", "c")
    attribute = Protected("a", "categorical", 1.0 * groups, groups, names, small=("tiny",))
    tested = [HeldOut(values[None], np.zeros(53), every)]
    found = group_values(residual, attribute, every, tested)
    assert found.values == pytest.approx([values[:20].mean(), values[23:].mean()])
    assert found.members.tolist() == [20, 30]
    assert len(pairs_of(found)) == 1
