"""The honest protocol's splits: disjoint, even, rotating, really different; clusters whole."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from fairbench.data import open_dataset
from fairbench.dataset import Card, Dataset, DatasetSpec, Protected
from fairbench.errors import StudyError
from fairbench.plugins import load
from fairbench.protocol import Protocol
from fairbench.study.check_splits import check_groups
from fairbench.study.honest import Honest


def made(groups, clusters=None, y=None, small=()) -> Dataset:
    groups = np.asarray(groups).astype(np.int64)
    labels = tuple(f"g{k}" for k in range(int(groups.max()) + 1))
    attribute = Protected("a", "categorical", groups.astype(float), groups, labels, small)
    column = np.arange(len(groups), dtype=float)[:, None]
    target = column if y is None else np.asarray(y, dtype=float)[:, None]
    card = Card("t", "made up", "none")
    known = None if clusters is None else np.asarray(clusters)
    return Dataset("t", column, ("x",), target, ("y",), (attribute,), known, "c", card)


def persons() -> Dataset:
    """12 clusters of 4 to 15 rows, two rows of each in the first group."""
    clusters = np.repeat(np.arange(12), np.arange(12) + 4)
    groups = np.concatenate([[1] * (c + 2) + [0] * 2 for c in range(12)])
    k = np.arange(len(clusters))
    return made(groups, clusters, np.sin(k) + clusters / 10 + np.cos(7 * k))


def check(dataset: Dataset, split, judged=None) -> None:
    parts = [split.train, split.validation, split.test]
    rows = np.concatenate(parts)
    np.testing.assert_array_equal(np.sort(rows), np.arange(dataset.rows))
    for part in parts:
        assert (np.diff(part) > 0).all()
        assert set(judged or dataset.protected[0].groups) <= set(dataset.protected[0].groups[part])


@given(st.integers(0, 2**32 - 1), st.integers(2, 4), st.integers(3, 7))
@settings(max_examples=25, deadline=None)
def test_rows_are_dealt_evenly(seed, groups, folds):
    """Every test set has its share of the rows, and of each group, up to one row."""
    rng = np.random.default_rng(seed)
    codes = np.concatenate([np.repeat(np.arange(groups), folds), rng.integers(0, groups, 200)])
    dataset = made(codes, y=rng.integers(0, 3, codes.size))
    for split in Honest(folds).splits(dataset, range(folds + 1)):
        check(dataset, split)
        assert abs(len(split.test) - dataset.rows / folds) < 1
        due = np.bincount(codes) / folds
        assert (np.abs(np.bincount(codes[split.test]) - due) < 1).all()


@pytest.mark.parametrize("share", [0.01, 0.036, 0.133, 0.326])
def test_the_minoritys_share_in_test(share):
    """It differs from its share in the table by less than two rows of a test set."""
    groups = np.arange(1000) < 1000 * share
    dataset = made(groups)
    for split in Honest().splits(dataset, range(25)):
        for part in (split.validation, split.test):
            assert abs(groups[part].mean() - groups.mean()) < 2 / len(part)


@pytest.mark.parametrize("name", ["rows", "persons", "parkinson", "communities-crime"])
def test_a_round_tests_everything_once(name):
    if name in ("rows", "persons"):
        dataset = persons() if name == "persons" else made(np.arange(103) % 2)
    else:
        dataset = open_dataset(DatasetSpec(name), load())
    splits = Honest().splits(dataset, range(7, 17))
    for start in (0, 5):
        block = splits[start : start + 5]
        tested = np.concatenate([split.test for split in block])
        np.testing.assert_array_equal(np.sort(tested), np.arange(dataset.rows))
        for split, following in zip(block, [*block[1:], block[0]], strict=True):
            check(dataset, split)
            np.testing.assert_array_equal(split.validation, following.test)
    if dataset.clusters is not None:
        for split in splits:
            parts = [set(dataset.clusters[split[p]]) for p in ("train", "validation", "test")]
            assert sum(map(len, parts)) == len(set(dataset.clusters))
    assert len({split.test.tobytes() for split in splits}) == 10


@pytest.mark.parametrize("name", ["rows", "persons"])
def test_a_split_depends_on_the_seed_of_its_round_alone(name):
    dataset = persons() if name == "persons" else made(np.arange(100) % 2)
    few, many = Honest().splits(dataset, range(7)), Honest().splits(dataset, range(12))
    for one, same in zip(few, many, strict=False):
        np.testing.assert_array_equal(one.test, same.test)
    other = Honest().splits(dataset, [0, 91, 92, 93, 94, 5])
    assert [split.test.tobytes() for split in other] == [s.test.tobytes() for s in many[:6]]
    np.testing.assert_array_equal(Honest().split(dataset, 5).test, many[5].test)


@pytest.mark.parametrize("name", ["rows", "persons", "communities-crime"])
def test_everything_is_tested_as_often_and_in_any_company(name):
    """Over many rounds: inclusion in the first test set is uniform, test sets are many."""
    rounds = 300 if name == "rows" else 80
    if name == "communities-crime":
        dataset = open_dataset(DatasetSpec(name), load())
    else:
        dataset = persons() if name == "persons" else made(np.arange(60) % 2)
    units = np.arange(dataset.rows) if dataset.clusters is None else dataset.clusters
    first = Honest().splits(dataset, range(5 * rounds))[::5]
    counts = np.zeros(int(units.max()) + 1)
    for split in first:
        counts[np.unique(units[split.test])] += 1
    counts = counts[np.unique(units)]
    # Shares of a fold are dependent, negatively: the statistic is no larger than chi-squared.
    statistic = np.square(counts - rounds / 5).sum() / (rounds * 0.2 * 0.8)
    assert statistic < stats.chi2.ppf(0.999, len(counts))
    distinct = len({split.test.tobytes() for split in first})
    assert distinct >= (30 if name == "persons" else rounds)


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=15, deadline=None)
def test_clusters_of_one_group_each_are_balanced(seed):
    """40 clusters of 1 to 11 rows: each test set within a quarter of its rows, of both groups."""
    rng = np.random.default_rng(seed)
    clusters = rng.permutation(np.repeat(np.arange(40), rng.integers(1, 12, 40)))
    groups = np.arange(40)[clusters] % 2
    dataset = made(groups, clusters)
    for split in Honest().splits(dataset, range(5)):
        check(dataset, split)
        assert abs(len(split.test) - dataset.rows / 5) <= 0.25 * dataset.rows / 5
        assert abs(groups[split.test].mean() - groups.mean()) <= 0.15


def test_targets_are_balanced():
    """The mean target of test sets spreads less than that of samples drawn at random."""
    rng = np.random.default_rng(0)
    y = rng.normal(size=200)
    whole = made(np.arange(200) % 2, y=y)
    of_rows = [y[s.test].mean() for s in Honest().splits(whole, range(100))]
    assert np.std(of_rows) < 0.75 * np.sqrt(0.8 / 40)
    clusters = np.arange(200) // 5
    y = np.repeat(rng.normal(size=40), 5)
    together = made(clusters % 2, clusters, y)
    of_clusters = [y[s.test].mean() for s in Honest().splits(together, range(100))]
    assert np.std(of_clusters) < 0.75 * y.std() * np.sqrt(0.8 / 8)


@pytest.mark.parametrize("clusters", [None, np.arange(100)])
def test_a_group_smaller_than_the_folds_is_refused(clusters):
    with pytest.raises(StudyError, match=r"group 'g1' has 4 .* too few for 5 folds") as caught:
        Honest().split(made(np.arange(100) >= 96, clusters), 0)
    assert "protected attribute 'a'" in caught.value.where
    for way in ("--min-group", "--merge-groups", "fewer folds"):
        assert way in caught.value.hint


@pytest.mark.parametrize("clusters", [None, np.arange(120) // 2])
def test_small_groups_are_dealt_together(clusters):
    """Ten groups of two rows: together they stand in every test set, none need be alone."""
    groups = np.append(np.arange(100) % 2, 2 + np.arange(20) // 2)
    dataset = made(groups, clusters, small=tuple(f"g{k}" for k in range(2, 12)))
    for number, split in enumerate(Honest().splits(dataset, range(10))):
        check(dataset, split, judged=(0, 1))
        check_groups(dataset, split, number)
        assert (groups[split.test] > 1).sum() == 4
    with pytest.raises(StudyError, match="group 'g2' has"):
        Honest().split(made(groups, clusters), 0)


def test_too_few_clusters():
    dataset = made(np.arange(40) % 2, np.arange(40) // 10)
    with pytest.raises(StudyError, match="has 4 values of 'c', too few for 5 folds"):
        Honest().split(dataset, 0)
    assert len(Honest(4).splits(dataset, range(4))) == 4


def test_groups_that_no_deal_spreads_are_refused():
    """Each group has five clusters, which must stand apart; so must 0 to 5, in only five folds."""
    held = [(0, 1, 2, 3, 4), (5, 0, 1, 6, 7), (5, 2, 3, 8, 9), (5, 4, 10, 11, 12)]
    groups = np.repeat(np.arange(4), 5)
    dataset = made(groups, np.ravel(held))
    with pytest.raises(StudyError, match="no deal of the 13 values of 'c' into 5 folds") as caught:
        Honest().split(dataset, 0)
    assert "--min-group" in caught.value.hint


def test_a_giant_cluster_takes_its_turn():
    clusters = np.append(np.zeros(800, dtype=int), 1 + np.arange(180) // 4)
    dataset = made(np.arange(980) % 2, clusters)
    for start in (0, 5):
        block = Honest().splits(dataset, range(10))[start : start + 5]
        assert sum(0 in clusters[split.test] for split in block) == 1
        assert sorted(len(split.test) for split in block)[0] >= 36


def test_other_protocols_draw_split_by_split():
    class Halves(Protocol):
        label = "halves"

        def split(self, dataset, seed, /):
            order = np.random.default_rng(seed).permutation(dataset.rows)
            return replace(Honest().split(dataset, 0), test=np.sort(order[:3]))

    dataset = made(np.arange(20) % 2)
    protocol = Halves()
    assert protocol.test_share is None
    for split, seed in zip(protocol.splits(dataset, [4, 9]), (4, 9), strict=True):
        np.testing.assert_array_equal(split.test, protocol.split(dataset, seed).test)


def test_an_empty_group_in_a_part_is_refused():
    dataset = made(np.arange(100) % 2)
    split = Honest().split(dataset, 0)
    even = split.test[split.test % 2 == 0]
    with pytest.raises(StudyError, match=r"group 'g1' has no test row in split 3"):
        check_groups(dataset, replace(split, test=even), 3)


@pytest.fixture
def paper():
    return load().find("protocol", "paper").build({})


def test_the_papers_split_of_boston_watches_a_fifth(paper):
    dataset = open_dataset(DatasetSpec("boston"), load())
    split = paper.split(dataset, 0)
    check(dataset, split)
    test = round(0.2 * dataset.rows)
    assert len(split.test) == test
    assert len(split.validation) == round(0.2 * (dataset.rows - test))


def test_the_papers_split_of_other_data_has_no_validation_rows(paper):
    dataset = open_dataset(DatasetSpec("synthetic"), load())
    split = paper.split(dataset, 0)
    assert paper.test_share == 0.2
    assert split.validation.size == 0
    assert len(split.train) + len(split.test) == dataset.rows
    assert not set(split.train) & set(split.test)
    assert not np.array_equal(split.test, paper.split(dataset, 1).test)
