import numpy as np
import pytest

from fairbench.analyze import corrected_interval, split_overlap
from fairbench.fold import Split


def rotated(rows, folds, count, seed=0):
    """Splits of rows dealt into folds that take turns, dealt anew after each round."""
    rng = np.random.default_rng(seed)
    splits = []
    for number in range(count):
        turn = number % folds
        if turn == 0:
            fold = rng.permutation(np.arange(rows) % folds)
        test, validation = fold == turn, fold == (turn + 1) % folds
        parts = (~(test | validation), validation, test)
        splits.append(Split(*map(np.flatnonzero, parts)))
    return splits


def draws(overlap, seed):
    """Values (3000, J) of mean 0, as correlated as the overlap says; its matrix may be singular."""
    variance, axes = np.linalg.eigh(overlap.correlation)
    normal = np.random.default_rng(seed).normal(size=(3000, overlap.splits))
    return (normal * np.sqrt(variance.clip(0))) @ axes.T


def coverage(values, overlap):
    found = [corrected_interval(row, overlap.ratio, df=overlap.df) for row in values]
    return np.mean([interval.low <= 0 <= interval.high for interval in found])


def test_random_splits_have_the_correction_of_nadeau_and_bengio():
    splits = rotated(1000, 5, 500)[::5]  # one of each dealing: independent of each other
    overlap = split_overlap(splits)
    assert overlap.mean_test == pytest.approx(0.2, abs=0.005)
    assert overlap.mean_training == pytest.approx(0.6, abs=0.005)
    assert overlap.ratio == pytest.approx(1 / 3, abs=0.01)
    assert overlap.distinct == overlap.splits == 100
    assert overlap.df > 90


def test_folds_that_take_turns_share_training_rows_only():
    overlap = split_overlap(rotated(100, 5, 5))
    assert overlap.mean_test == 0
    assert overlap.mean_training == pytest.approx(0.5)
    assert overlap.ratio == pytest.approx(0.0625 / 0.9375)
    assert 3.9 < overlap.df < 4


def test_repeating_splits_changes_nothing_but_the_count():
    two = rotated(100, 5, 2)
    overlap, again = split_overlap(two), split_overlap(two * 5)
    assert (again.splits, again.distinct) == (10, 2)
    assert again.df == pytest.approx(1)
    once = corrected_interval(np.array([1.0, 2.0]), overlap.ratio, df=overlap.df)
    repeated = corrected_interval(np.array([1.0, 2.0] * 5), again.ratio, df=again.df)
    assert (repeated.low, repeated.high) == pytest.approx((once.low, once.high))


def test_one_split_ten_times_says_nothing_of_its_spread():
    overlap = split_overlap(rotated(100, 5, 1) * 10)
    assert overlap.distinct == 1
    assert overlap.df == 0
    assert overlap.ratio == np.inf
    for values in (np.ones(10), np.arange(10.0)):
        interval = corrected_interval(values, overlap.ratio, df=overlap.df)
        assert np.isnan([interval.low, interval.high, interval.p]).all()


def test_one_split():
    overlap = split_overlap(rotated(100, 5, 1))
    assert (overlap.splits, overlap.distinct, overlap.ratio, overlap.df) == (1, 1, 0, 0)


def test_some_of_the_splits():
    splits = rotated(100, 5, 10)
    part, alone = (
        split_overlap(splits).of(np.array([0, 3, 7])),
        split_overlap([splits[0], splits[3], splits[7]]),
    )
    np.testing.assert_array_equal(part.test, alone.test)
    assert (part.ratio, part.df, part.distinct) == (alone.ratio, alone.df, 3)


@pytest.mark.parametrize("count", [3, 5, 7, 10, 20])
def test_intervals_cover_where_values_are_correlated_as_presumed(count):
    overlap = split_overlap(rotated(200, 5, count))
    assert 0.94 <= coverage(draws(overlap, count), overlap) <= 0.96


@pytest.mark.parametrize("repeats", [(3, 1, 1), (5, 5), (8, 1, 1)])
def test_intervals_cover_where_splits_are_repeated(repeats):
    splits = rotated(200, 5, len(repeats))
    repeated = split_overlap([splits[k] for k, times in enumerate(repeats) for _ in range(times)])
    values = np.repeat(draws(split_overlap(splits), 7), repeats, axis=1)
    assert coverage(values, repeated) >= 0.93  # Satterthwaite's degrees of freedom approximate
