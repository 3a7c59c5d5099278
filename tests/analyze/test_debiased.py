"""The variance between groups without what chance adds to it, against closed forms."""

import numpy as np
import pytest

from fairbench.analyze import HeldOut, Run, View, between_groups, group_values
from fairbench.analyze.debiased import debiased_by_split, needs_debiasing
from fairbench.dataset import Protected


def residual(prediction, target, protected):
    return prediction - target


def attribute(groups):
    names = tuple("abcdefghij"[: groups.max() + 1])
    return Protected("a", "categorical", groups.astype(float), groups, names)


def of_rows(values, groups, units=None):
    every = np.arange(len(values))
    tested = [HeldOut(values[None], np.zeros(len(values)), every)]
    return group_values(residual, attribute(groups), every if units is None else units, tested)


def test_it_is_the_variance_of_values_minus_their_mean_sampling_variance():
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(4), [5, 10, 20, 40])
    values = rng.normal(size=75)
    parts = [values[groups == g] for g in range(4)]
    means = np.array([part.mean() for part in parts])
    sampling = np.mean([part.var(ddof=1) / len(part) for part in parts])
    found = between_groups(of_rows(values, groups))
    assert found == pytest.approx(means.var(ddof=1) - sampling)


@pytest.mark.parametrize("spread", [1.0, 5.0])
@pytest.mark.parametrize("true", [0.0, 0.5])
def test_it_is_right_on_average_whatever_the_spread(spread, true):
    rng = np.random.default_rng(1)
    groups = np.repeat(np.arange(5), [4, 8, 8, 16, 64])
    level = true * np.arange(5)
    scale = spread * np.array([3.0, 1.0, 2.0, 1.0, 1.0])[groups]
    found = [
        between_groups(of_rows(level[groups] + scale * rng.normal(size=100), groups))
        for _ in range(1500)
    ]
    error = np.std(found) / np.sqrt(1500)
    assert np.mean(found) == pytest.approx(level.var(ddof=1), abs=4 * error)


def test_rows_of_a_cluster_count_once():
    rng = np.random.default_rng(2)
    person = np.repeat(np.arange(12), 10)
    groups = (person % 3).astype(np.int64)
    found = [
        between_groups(of_rows(rng.normal(size=12)[person], groups, person)) for _ in range(800)
    ]
    assert np.mean(found) == pytest.approx(0, abs=4 * np.std(found) / np.sqrt(800))
    by_rows = between_groups(of_rows(rng.normal(size=12)[person], groups))
    assert by_rows > 0


def test_nothing_is_known_of_groups_of_one_row():
    assert np.isnan(between_groups(of_rows(np.array([1.0, 2.0, 3.0]), np.array([0, 1, 1]))))


def test_seeds_are_averaged_and_missing_groups_leave_a_split_without_a_value():
    rng = np.random.default_rng(3)
    groups = np.repeat([0, 1], 10)
    first, second = rng.normal(size=(2, 20))
    every, units = np.arange(20), np.arange(20)
    splits = [
        HeldOut(np.stack([first, second]), np.zeros(20), every, 0),
        HeldOut(first[None, :10], np.zeros(10), every[:10], 1),
    ]
    found = debiased_by_split(residual, attribute(groups), units, splits)
    expected = [between_groups(of_rows(one, groups)) for one in (first, second)]
    assert found[0] == pytest.approx(np.mean(expected))
    assert np.isnan(found[1])


def test_many_or_small_groups_need_it():
    def needed(groups, units=None):
        every = np.arange(len(groups))
        tested = [HeldOut(np.zeros((1, len(groups))), np.zeros(len(groups)), every)]
        return needs_debiasing(attribute(groups), every if units is None else units, tested)

    two = np.repeat([0, 1], 40)
    assert not needed(two)
    assert needed(np.repeat([0, 1, 2], 40))
    assert needed(np.repeat([0, 1], [60, 20]))
    assert needed(two, np.arange(80) // 4)  # ten people in each group


def test_of_a_run(make_run, metrics):
    def predict(trial, y, groups, rng):
        wrong = 1.0 if trial.method == "base" else 0.5
        return y + wrong * groups[:, None] + rng.normal(size=y.shape) * 0.3

    path = make_run(
        splits=5, seeds=(0, 1), rows=200, predict=predict, metrics=("rmse", "residual-gap")
    ).path
    found = Run(path).debiased(View("rmse", "residual-gap")).iloc[0]
    assert found["method"] == "tuned"
    assert found["base_variance"] == pytest.approx(0.5, abs=0.1)  # of 0 and 1, two groups
    assert found["variance"] == pytest.approx(0.125, abs=0.04)
    assert found["difference"] == pytest.approx(found["variance"] - found["base_variance"])
    assert found["high"] < 0
    assert found["needed"]  # twenty test rows in each group
    assert found["splits"] == 5
    compares_no_means = Run(make_run(name="other", metrics=("err", "gap")).path)
    assert compares_no_means.debiased().empty
    assert compares_no_means.group_pairs().empty


def test_verdicts_of_many_groups_need_it(make_run, metrics):
    """Eight groups: what is removed is found by both, through files and metrics."""

    def predict(trial, y, groups, rng):
        level = np.arange(8)[groups][:, None] * (0.5 if trial.method == "base" else 0.1)
        return y + level + rng.normal(size=y.shape)

    run = Run(
        make_run(
            methods={"base": (None,), "tuned": (None,)},
            splits=6,
            rows=600,
            groups=8,
            predict=predict,
            metrics=("rmse", "residual-gap"),
        ).path
    )
    found = run.verdicts(View("rmse", "residual-gap")).iloc[0]
    table = run.debiased(View("rmse", "residual-gap")).iloc[0]
    assert table["needed"]
    assert found["debiased_difference"] == table["difference"] < 0
    assert found["debiased_p"] == table["p"]
    assert found["adjusted_debiased_p"] <= 0.05
    assert found["verdict"] == "fairer"
