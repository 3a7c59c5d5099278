"""Simulated studies with a known truth: verdicts and intervals must hold their promises.

The slow tests are those that count, with at least 400 studies each; the fast ones notice when
something breaks. Numbers and explanation: docs/statistics.md.
"""

from dataclasses import asdict

import numpy as np
import pytest
from scipy import stats

from fairbench.analyze import Run, corrected_interval, judge
from fairbench.analyze.planning import rotation
from fairbench.analyze.simulation import (
    AXES,
    FOLDS,
    Truth,
    judge_each,
    simulate,
    simulate_fronts,
)


def studies(truth, count):
    return judge_each(*simulate(truth, count, seed=1))


def limits(found, count):
    """Exact binomial interval (Clopper and Pearson)."""
    interval = stats.binomtest(found, count).proportion_ci(0.95, method="exact")
    return interval.low, interval.high


def said(rows, *verdicts):
    return int(rows["verdict"].isin(verdicts).sum())


def fairer(rows):
    return said(rows, "fairer", "fairer by levelling down")


def covered(found, truth):
    return int(((found["low"] <= truth) & (found["high"] >= truth)).sum())


def test_copies_are_seldom_told_apart():
    rows = studies(Truth(splits=5, seeds=2, trial_sd=0.3), 60)
    assert limits(fairer(rows), 60)[0] <= 0.05
    assert covered(rows, 0.0) >= 52


def test_judged_together_as_one_by_one():
    truth = Truth(splits=5, values=8, trial_sd=0.3)
    fronts, groups = simulate(truth, 4, seed=2)
    together = judge_each(fronts, groups).set_index("dataset")
    for name, part in fronts.groupby("dataset"):
        own = groups[groups["dataset"] == name]
        alone = judge(part, AXES, "baseline", {name: rotation(truth.splits, FOLDS)}, groups=own)
        for column in ("verdict", "accuracy", "high", "gain_p", "detectable"):
            assert alone[column].item() == together.loc[name, column]


def test_luck_that_is_smooth_in_the_grid_is_not_chosen():
    """All values of a seed share its luck: what a seed's own rows choose, its test rows repeat."""
    truth = Truth(splits=6, seeds=2, values=30, row_sd=0.0, trial_sd=0.4, smooth=0.9)
    rows = studies(truth, 60)
    assert fairer(rows) <= 4
    assert abs(rows["difference"].mean()) < 0.05
    with_own = simulate_fronts(truth, 60, seed=1)
    best = with_own.groupby(["dataset", "method", "split", "seed"])["disparity"].min()
    gained = best.groupby("method").mean()
    assert gained["method"] < gained["baseline"] - 0.2  # there was luck to be chosen


def test_smooth_luck_is_as_smooth_as_it_says():
    truth = Truth(splits=2, seeds=300, values=6, rows=4000, row_sd=0.0, trial_sd=0.5, smooth=0.8)
    found = simulate_fronts(truth).query("method == 'method'")
    wide = found.pivot_table(index=["split", "seed"], columns="value", values="disparity")
    neighbours = np.mean([wide[k].corr(wide[k + 1]) for k in range(5)])
    assert 0.5 < neighbours < 0.85
    assert wide[0].corr(wide[5]) < neighbours
    assert wide.std().max() < 1.25 * wide.std().min()  # no value varies more than another


def test_an_error_beyond_the_margin_is_not_let_through():
    truth = Truth(splits=10, seeds=2, rows=1000, row_sd=0.1, trial_sd=0.05, effect=0.6)
    beyond = Truth(**{**asdict(truth), "error_excess": 0.25})  # 6 % more error, though fairer
    rows = studies(beyond, 40)
    assert rows["error_difference"].mean() > 0.05 * rows["base_error"].mean()
    assert fairer(rows) <= 4
    assert fairer(studies(truth, 40)) >= 36


def test_noise_for_the_better_off_is_levelling_down():
    rows = studies(Truth(splits=10, seeds=2, rows=1000, row_sd=0.1, spoiled=0.4), 60)
    assert said(rows, "fairer") <= 3
    assert said(rows, "fairer by levelling down") >= 6


def test_a_large_effect_is_found():
    rows = studies(Truth(splits=10, rows=2000, effect=1.0, trial_sd=0.05), 25)
    assert said(rows, "fairer") >= 20


def test_simulated_metrics_are_those_of_the_model():
    # With s = (1, 1.5), u of 0.5: RMSE √(1 + ¼) and √(2.25 + ¼) in the two groups.
    truth = Truth(splits=40, rows=4000)
    found = simulate_fronts(truth)
    assert found["disparity"].mean() == pytest.approx(np.sqrt(2.5) - np.sqrt(1.25), abs=0.05)
    assert found["error"].mean() == pytest.approx(np.sqrt((1.25 + 2.5) / 2), abs=0.05)


def test_through_a_stored_run(make_run, metrics):
    """Two copies of one method, each trained on its own luck, through files and metrics."""

    def copy(trial, y, groups, rng):
        bias = rng.normal(scale=0.2, size=2)[groups][:, None]
        return y + bias + rng.normal(size=y.shape)

    found = []
    for seed in range(12):
        folder = make_run(
            f"run{seed}",
            methods={"base": (None,), "copy": (None,)},
            splits=5,
            rows=150,
            predict=copy,
            seed=seed,
            metrics=("err", "gap"),
        )
        found.append(Run(folder.path).verdicts()["p"].item())
    assert sum(p <= 0.05 for p in found) <= 2


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    "truth",
    [
        Truth(splits=5, seeds=2, trial_sd=0.3),
        Truth(splits=10, trial_sd=0.3),
        Truth(splits=5, seeds=3, trial_sd=0.3),
        Truth(splits=10, values=50, trial_sd=0.3, smooth=0.95),
        Truth(splits=10, values=50, row_sd=0.0, trial_sd=0.3, smooth=0.95),
        Truth(splits=10, seeds=2, values=50, trial_sd=0.3, value_sd=0.3, smooth=0.9),
    ],
    ids=["5x2", "10x1", "5x3", "50-values", "50-lucky-values", "50-values-with-rows"],
)
def test_false_verdicts_are_at_most_five_percent(truth):
    count = 800
    rows = studies(truth, count)
    assert limits(fairer(rows), count)[1] <= 0.05
    assert limits(said(rows, "less fair"), count)[1] <= 0.05


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_power_grows_with_the_effect():
    truths = [Truth(splits=10, rows=1000, trial_sd=0.1, effect=e) for e in (0.0, 0.2, 0.4, 0.6)]
    found = [fairer(studies(truth, 400)) / 400 for truth in truths]
    assert found == sorted(found)
    assert found[0] <= 0.05
    assert found[-1] >= 0.9


@pytest.mark.parametrize("splits", [3, 5, 10, 30])
def test_intervals_cover_what_they_should(splits):
    """Normal differences, as correlated as the correction takes them to be."""
    rho = 0.25
    rng = np.random.default_rng(splits)
    shared = rng.normal(size=(3000, 1)) * np.sqrt(rho)
    values = 1.0 + shared + rng.normal(size=(3000, splits)) * np.sqrt(1 - rho)
    found = [corrected_interval(row, 1 / 3) for row in values]
    share = np.mean([interval.low <= 1.0 <= interval.high for interval in found])
    assert 0.93 <= share <= 0.97


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("effect", [0.0, 0.5])
def test_intervals_of_studies_cover_at_least_what_they_should(effect):
    """Splits share less here than the correction assumes: more than 95 %, but not all."""
    many = studies(Truth(splits=5, rows=1000, effect=effect), 1500)
    assert 0.93 <= covered(many, many["difference"].mean()) / len(many) <= 0.985
