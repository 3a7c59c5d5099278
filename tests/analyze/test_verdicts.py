import numpy as np
import pandas as pd
import pytest

from fairbench.analyze import (
    RULES,
    Axes,
    Run,
    compare,
    disagreements,
    judge,
    measured,
    paired,
    verdicts,
)
from fairbench.analyze.matched import CHOSEN

AXES = Axes("rmse", "gap")


def row(**changes):
    facts = {
        "dataset": "d",
        "target": "y",
        "protected": "a",
        "method": "m",
        "splits": 10,
        "within": 9,
        "tried": 1,
        "base_disparity": 0.5,
        "difference": -0.2,
        "low": -0.3,
        "high": -0.1,
        "p": 0.001,
        "wilcoxon_p": 0.01,
        "fairer_on": 9,
        "near_difference": np.nan,
        "near_p": np.nan,
        "base_error": 2.0,
        "error_difference": 0.02,
        "error_low": -0.01,
        "error_high": 0.05,
        "detectable": 0.15,
    }
    return {**facts, **changes}


def verdict(*rows, axes=AXES):
    return verdicts(pd.DataFrame(list(rows)), axes, "base")


def test_each_rule_in_words_and_in_truth():
    cases = {
        "fairer": row(),
        "worse": row(difference=0.2, low=0.1, high=0.3),
        "not distinguishable from noise": row(p=0.2, low=-0.5, high=0.1),
        "not at this error": row(within=4),
        "no verdict": row(splits=2, within=2),
    }
    assert set(cases) == {rule.verdict for rule in RULES}
    assert all(rule.when for rule in RULES)
    for expected, facts in cases.items():
        assert verdict(facts)["verdict"].item() == expected


def test_half_of_the_splits_within_reach_are_enough():
    assert verdict(row(within=5))["verdict"].item() == "fairer"


def test_multiplicity_is_paid_for():
    rows = [row(p=0.03), *(row(method=f"n{i}", p=0.5, low=-1, high=1) for i in range(4))]
    found = verdict(*rows)
    assert found["adjusted_p"].iloc[0] == pytest.approx(0.15)
    assert found["verdict"].iloc[0] == "not distinguishable from noise"
    assert "all comparisons" in found["sentence"].iloc[0]


def test_the_best_of_many_needs_its_neighbours():
    lucky = row(tried=50, near_difference=-0.01, near_p=0.7)
    found = verdict(lucky)
    assert found["verdict"].item() == "not distinguishable from noise"
    assert "lucky" in found["sentence"].item()
    assert verdict(row(tried=50, near_difference=-0.15, near_p=0.01))["verdict"].item() == "fairer"
    assert verdict(row(tried=50, near_difference=0.15, near_p=0.01))["verdict"].item() != "fairer"
    assert verdict(row(tried=50))["verdict"].item() != "fairer"  # no neighbours to ask


def test_unknown_p_is_no_verdict_in_favour():
    assert verdict(row(p=np.nan))["verdict"].item() == "not distinguishable from noise"


def test_the_sentence_people_quote():
    assert verdict(row())["sentence"].item() == (
        "m is fairer than base: gap -0.2 (-40.0%), 95 % interval -0.3 to -0.1, "
        "rmse +0.02 (+1.0%), 95 % interval -0.01 to +0.05; fairer on 9 of 10 splits."
    )
    assert "m is worse than base: gap +0.2" in verdict(row(difference=0.2))["sentence"].item()
    noise = verdict(row(p=0.3, low=-0.5, high=0.1))["sentence"].item()
    assert noise.startswith("m is not distinguishable, beyond noise, from base: gap -0.2")
    assert noise.endswith("This design finds a difference of 0.15 four times in five.")


def test_a_metric_best_when_high_is_quoted_in_its_own_direction():
    found = verdict(row(base_error=-0.8), axes=Axes("r2", "ratio", "high", "one"))
    assert "r2 -0.02 (-2.5%), 95 % interval -0.05 to +0.01" in found["sentence"].item()
    assert "distance of ratio from 1 -0.2" in found["sentence"].item()


def test_disagreement_is_named():
    table = pd.concat(
        [
            verdict(row()).assign(metric="gap"),
            verdict(row(difference=0.3, low=0.1)).assign(metric="ks"),
            verdict(row(method="n")).assign(metric="gap"),
        ]
    )
    found = disagreements(table)
    assert found["warning"].tolist() == ["Metrics disagree on m: fairer by gap, worse by ks."]


def better(size):
    """Predictions whose error in group 1 is `size` smaller for the tuned method."""

    def predict(trial, y, groups, rng):
        extra = 1.0 if trial.method == "base" else 1.0 - size
        return y + rng.normal(size=y.shape) * (0.5 + extra * groups[:, None])

    return predict


def test_a_large_gain_in_a_run_is_found(make_run, metrics):
    folder = make_run(splits=8, rows=600, predict=better(0.9))
    run = Run(folder.path)
    found = run.verdicts()
    assert found["verdict"].tolist() == ["fairer"]
    assert found["difference"].item() < -0.4
    assert found["sentence"].item().startswith("tuned is fairer than base: gap -0.")


def test_no_gain_in_a_run_is_noise(make_run, metrics):
    found = Run(make_run(splits=5, rows=600, predict=better(0.0)).path).verdicts()
    assert found["verdict"].tolist() == ["not distinguishable from noise"]


def test_a_method_out_of_reach(make_run, metrics):
    def predict(trial, y, groups, rng):
        return y + rng.normal(size=y.shape) * (1 if trial.method == "base" else 3)

    found = Run(make_run(splits=4, rows=300, predict=predict).path).verdicts()
    assert found["verdict"].tolist() == ["not at this error"]


def test_every_metric_judges_the_same_trials(make_run, metrics):
    run = Run(make_run(splits=8, rows=600, predict=better(0.9)).path)
    table = run.all_verdicts().set_index("metric")
    assert {"gap", "bias-gap", "closeness"} <= set(table.index)
    assert "err" not in table.index
    assert table.loc["gap", "difference"] == run.verdicts()["difference"].item()
    assert table.loc["closeness", "difference"] == pytest.approx(table.loc["gap", "difference"])
    points = run.matched()[["split", "seed", "value", "base_value"]]
    bias = run.metrics().query("part == 'test'")[["method", "split", "value", "bias-gap"]]
    own = points.merge(bias.query("method=='tuned'"), on=["split", "value"])
    base = bias.query("method=='base'")
    assert table.loc["bias-gap", "difference"] == pytest.approx(
        own["bias-gap"].mean() - base["bias-gap"].mean()
    )


def test_every_metric_judges_as_each_does_alone(make_run, metrics):
    lost = [("tuned", 1.0, 2)]
    run = Run(make_run(splits=5, rows=300, seeds=(0, 1), predict=better(0.5), broken=lost).path)
    assert run.metrics()["gap"].isna().any()
    together = run.all_verdicts()
    chosen = run.matched()[list(CHOSEN)]
    for name in ("gap", "bias-gap", "closeness"):
        axes = run.axes(disparity=name)
        points = measured(chosen, run.fronts(disparity=name), axes, run.baseline)
        alone = verdicts(compare(paired(points), run.ratios), axes, run.baseline)
        own = together[together["metric"] == name].drop(columns="metric")
        pd.testing.assert_frame_equal(own.reset_index(drop=True), alone, rtol=1e-12)
    assert set(together["metric"]) == {"gap", "bias-gap", "closeness"}


def test_without_baseline_there_is_no_verdict(make_run, metrics):
    run = Run(make_run(baseline=None).path)
    assert run.verdicts().empty
    assert run.matched().empty
    assert run.noise().empty
    assert run.all_verdicts().empty


def test_judge_of_merged_runs_is_that_of_each(make_run, metrics):
    runs = [Run(make_run("a", dataset="a").path), Run(make_run("b", dataset="b", seed=3).path)]
    fronts = pd.concat([run.fronts() for run in runs])
    both = judge(fronts, runs[0].axes(), "base", {"a": 1 / 3, "b": 1 / 3})
    assert both["difference"].tolist() == pytest.approx(
        [run.verdicts()["difference"].item() for run in runs]
    )
