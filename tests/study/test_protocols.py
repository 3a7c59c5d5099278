"""Splits: disjoint, every group everywhere, clusters whole."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fairbench.data import open_dataset
from fairbench.dataset import Card, Dataset, DatasetSpec, Protected
from fairbench.errors import StudyError
from fairbench.plugins import load
from fairbench.study.check_splits import check_groups
from fairbench.study.honest import Honest


def made(groups, clusters=None) -> Dataset:
    groups = np.asarray(groups)
    labels = tuple(f"g{k}" for k in range(int(groups.max()) + 1))
    attribute = Protected("a", "categorical", groups.astype(float), groups, labels)
    column = np.arange(len(groups), dtype=float)[:, None]
    card = Card("t", "made up", "none")
    known = None if clusters is None else np.asarray(clusters)
    return Dataset("t", column, ("x",), column, ("y",), (attribute,), known, "c", card)


def check(dataset: Dataset, split) -> None:
    parts = [split.train, split.validation, split.test]
    rows = np.concatenate(parts)
    np.testing.assert_array_equal(np.sort(rows), np.arange(dataset.rows))
    for part in parts:
        assert (np.diff(part) > 0).all()
        assert set(dataset.protected[0].groups[part]) == set(dataset.protected[0].groups)


@given(st.integers(0, 2**32 - 1), st.integers(2, 4), st.integers(3, 7))
@settings(max_examples=25, deadline=None)
def test_rows_without_clusters(seed, groups, folds):
    rng = np.random.default_rng(seed)
    codes = np.concatenate([np.repeat(np.arange(groups), folds), rng.integers(0, groups, 200)])
    dataset = made(codes)
    split = Honest(folds).split(dataset, seed)
    check(dataset, split)
    assert abs(len(split.test) - dataset.rows / folds) <= groups


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=15, deadline=None)
def test_clusters_never_straddle(seed):
    rng = np.random.default_rng(seed)
    clusters = rng.permutation(np.repeat(np.arange(40), rng.integers(1, 12, 40)))
    dataset = made(np.arange(40)[clusters] % 2, clusters)
    split = Honest().split(dataset, seed)
    check(dataset, split)
    parts = [np.unique(clusters[split[part]]) for part in ("train", "validation", "test")]
    assert sum(map(len, parts)) == 40


def test_a_split_depends_on_its_seed_alone():
    dataset = made(np.arange(100) % 2)
    one, same, other = (Honest().split(dataset, seed) for seed in (5, 5, 6))
    np.testing.assert_array_equal(one.test, same.test)
    assert not np.array_equal(one.test, other.test)


@pytest.mark.parametrize("clusters", [None, np.arange(100)])
def test_a_group_smaller_than_the_folds_is_refused(clusters):
    with pytest.raises(StudyError, match=r"group 'g1' has 4 .* too few for 5 folds") as caught:
        Honest().split(made(np.arange(100) >= 96, clusters), 0)
    assert "protected attribute 'a'" in caught.value.where


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
    assert split.validation.size == 0
    assert len(split.train) + len(split.test) == dataset.rows
    assert not set(split.train) & set(split.test)
    assert not np.array_equal(split.test, paper.split(dataset, 1).test)
