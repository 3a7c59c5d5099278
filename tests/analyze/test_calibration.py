"""Simulated studies with a known truth: verdicts and intervals must hold their promises.

The slow tests are those that count, with at least 400 studies each; the fast ones notice when
something breaks. Numbers and explanation: docs/statistics.md.
"""

import numpy as np
import pytest
from scipy import stats

from fairbench.analyze import Run, corrected_interval, judge
from fairbench.analyze.simulation import AXES, RATIO, Truth, judge_each, simulate_fronts


def studies(truth, count):
    return judge_each(simulate_fronts(truth, count, seed=1))


def limits(found, count):
    """Exact binomial interval (Clopper and Pearson)."""
    interval = stats.binomtest(found, count).proportion_ci(0.95, method="exact")
    return interval.low, interval.high


def fairer(found):
    return int((found["verdict"] == "fairer").sum())


def covered(found, truth):
    return int(((found["low"] <= truth) & (found["high"] >= truth)).sum())


def test_copies_are_seldom_told_apart():
    rows = studies(Truth(splits=5, trial_sd=0.3), 60)
    assert limits(fairer(rows), 60)[0] <= 0.05
    assert covered(rows, 0.0) >= 52


def test_judged_together_as_one_by_one():
    truth = Truth(splits=5, values=8, trial_sd=0.3)
    together = judge_each(simulate_fronts(truth, 4, seed=2)).set_index("dataset")
    fronts = simulate_fronts(truth, 4, seed=2)
    for name, part in fronts.groupby("dataset"):
        alone = judge(part, AXES, "baseline", {name: RATIO})
        assert alone["verdict"].item() == together.loc[name, "verdict"]
        assert alone["high"].item() == together.loc[name, "high"]


def test_an_inert_sweep_is_no_method():
    truth = Truth(splits=6, values=30, row_sd=0.0, trial_sd=0.4)
    rows = studies(truth, 40)
    lucky = ((rows["adjusted_p"] <= 0.05) & (rows["difference"] < 0)).sum()
    assert fairer(rows) <= 4
    assert rows["difference"].mean() < -0.05  # picking does lower it
    assert fairer(rows) <= lucky


def test_a_large_effect_is_found():
    rows = studies(Truth(splits=10, rows=2000, effect=1.0, trial_sd=0.05), 25)
    assert fairer(rows) >= 20


def test_simulated_metrics_are_those_of_the_model():
    # With s = (1, 1.5), u of 0.5: RMSE √(1 + ¼) and √(2.25 + ¼) in the two groups.
    truth = Truth(splits=40, rows=4000)
    found = simulate_fronts(truth)
    assert found["disparity"].mean() == pytest.approx(np.sqrt(2.5) - np.sqrt(1.25), abs=0.05)
    assert found["error"].mean() == pytest.approx(np.sqrt((1.25 + 2.5) / 2), abs=0.05)
    spread = Truth(splits=4, seeds=500, rows=4000, trial_sd=0.3, gap=0.0)
    first = simulate_fronts(spread).query("method == 'baseline'")
    both = first[["disparity", "selection_disparity"]].corr().iloc[0, 1]
    assert both > 0.2  # an unfair trial is unfair on validation and on test alike


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
        found.append(Run(folder.path).verdicts()["verdict"].item())
    assert found.count("fairer") <= 2


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    "truth",
    [
        Truth(splits=5, trial_sd=0.3),
        Truth(splits=10, trial_sd=0.3),
        Truth(splits=5, seeds=3, trial_sd=0.3),
        Truth(splits=10, values=50, trial_sd=0.3),
        Truth(splits=10, values=50, row_sd=0.0, trial_sd=0.3),
    ],
    ids=["5-splits", "10-splits", "5-splits-3-seeds", "50-values", "50-lucky-values"],
)
def test_false_verdicts_are_at_most_five_percent(truth):
    count = 800
    rows = studies(truth, count)
    assert limits(fairer(rows), count)[1] <= 0.05
    assert limits(int((rows["verdict"] == "worse").sum()), count)[1] <= 0.05


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_power_grows_with_the_effect():
    truths = [Truth(splits=10, rows=1000, trial_sd=0.1, effect=e) for e in (0.0, 0.2, 0.4, 0.6)]
    found = [fairer(studies(truth, 400)) / 400 for truth in truths]
    assert found == sorted(found)
    assert found[0] <= 0.05
    assert found[-1] >= 0.95


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
