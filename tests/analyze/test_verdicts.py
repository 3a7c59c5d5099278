import numpy as np
import pandas as pd
import pytest

from fairbench.analyze import (
    ACCURACY,
    RULES,
    Axes,
    Correction,
    Primary,
    Run,
    View,
    compare,
    disagreements,
    holm,
    in_words,
    judge,
    measured,
    paired,
    verdicts,
)
from fairbench.analyze.matched import CHOSEN
from fairbench.store import RunFolder

AXES = Axes("rmse", "gap")


def row(**changes):
    """A row of `compare` that is fairer beyond doubt, at an error within the margin."""
    facts = {
        "dataset": "d",
        "target": "y",
        "protected": "a",
        "method": "m",
        "splits": 10,
        "distinct": 10,
        "within": 9,
        "tried": 1,
        "base_disparity": 0.5,
        "difference": -0.2,
        "low": -0.3,
        "high": -0.1,
        "p": 0.001,
        "wilcoxon_p": 0.01,
        "fairer_on": 9,
        "equal_p": 0.9,
        "effect_size": -2.0,
        "p_fairer": 0.99,
        "p_same": 0.01,
        "deviation": 0.12,
        "correction": 1 / 3,
        "df": 9.0,
        "base_error": 2.0,
        "error_difference": 0.02,
        "error_low": -0.01,
        "error_high": 0.05,
        "error_p": 0.3,
        "margin_p": 0.001,
        "equal_error_p": 0.2,
        "margin": 0.05,
        "disparity_margin": 0.2,
        "gain_p": 0.001,
        "worst_group": "f",
        "worst_change": -0.1,
        "worst_p": 0.99,
    }
    return {**facts, **changes}


def verdict(*rows, axes=AXES, **more):
    return verdicts(pd.DataFrame(list(rows)), axes, "base", **more)


CASES = {
    "no verdict": row(splits=2, distinct=2),
    "nothing to repair": row(chance_p=0.2),
    "not at this error": row(margin_p=0.06),
    "fairer": row(chance_p=0.01),
    "fairer by levelling down": row(gain_p=0.4),
    "as fair as": row(p=0.2, equal_p=0.01),
    "less fair": row(difference=0.2, low=0.1, high=0.3),
    "not distinguishable": row(p=0.2, low=-0.5, high=0.1),
}


def test_each_rule_in_words_and_in_truth():
    assert {"described only", *CASES} == {rule.verdict for rule in RULES}
    assert all(rule.when for rule in (*RULES, *ACCURACY))
    for expected, facts in CASES.items():
        assert verdict(facts)["verdict"].item() == expected
    assert {verdict for _, verdict, _ in in_words()} >= {"described only", *CASES}


def test_the_first_rule_that_holds_decides():
    """Each case, spoilt by the condition of every earlier one, becomes that earlier one."""
    spoils = [
        ("no verdict", {"splits": 9, "distinct": 2}),
        ("nothing to repair", {"chance_p": 0.2}),
        ("not at this error", {"margin_p": 0.06}),
    ]
    for number, (expected, change) in enumerate(spoils):
        for facts in list(CASES.values())[number + 1 :]:
            assert verdict({**facts, **change})["verdict"].item() == expected


@pytest.mark.parametrize("sign", [-1, 1])
def test_with_many_groups_the_debiased_variance_must_move_as_well(sign):
    plain = row(difference=0.2 * sign, low=0.2 * sign - 0.1, high=0.2 * sign + 0.1)
    claim = "fairer" if sign < 0 else "less fair"
    assert verdict(plain)["verdict"].item() == claim
    confirmed = verdict({**plain, "debiased_difference": 0.1 * sign, "debiased_p": 0.01})
    assert confirmed["verdict"].item() == claim
    for change, p in ((0.1 * sign, 0.2), (-0.1 * sign, 0.01)):
        found = verdict({**plain, "debiased_difference": change, "debiased_p": p}).iloc[0]
        assert found["verdict"] == "not distinguishable"
        assert "Without what chance adds" in found["sentence"]
    # And the p-values of all comparisons are adjusted together.
    several = [
        {**plain, "method": m, "debiased_difference": 0.1 * sign, "debiased_p": 0.02} for m in "ab"
    ]
    kept = verdict(*several)
    assert kept["adjusted_debiased_p"].tolist() == [0.04, 0.04]
    assert verdict(*several, {**several[0], "method": "c"})["verdict"].eq(claim).sum() == 0


@pytest.mark.parametrize("sign", [-1, 1])
def test_a_claim_must_hold_in_the_population_where_that_is_known(sign):
    plain = row(difference=0.2 * sign, low=0.2 * sign - 0.1, high=0.2 * sign + 0.1)
    claim = "fairer" if sign < 0 else "less fair"
    beyond = {"population_low": -0.5, "population_high": 0.5}
    assert verdict({**plain, **beyond, "population_p": 0.04})["verdict"].item() == claim
    found = verdict({**plain, **beyond, "population_p": 0.06}).iloc[0]
    assert found["verdict"] == "not distinguishable"
    assert "not that other rows of the population would (p = 0.06)" in found["sentence"]
    several = [{**plain, **beyond, "method": m, "population_p": 0.03} for m in "ab"]
    assert verdict(*several)["verdict"].eq("not distinguishable").all()  # adjusted together


def test_where_chance_cannot_be_told_nothing_is_claimed():
    why = "with 4 tested clusters no p-value can be below 0.33"
    found = verdict(row(chance_p=0.4, powerless=why)).iloc[0]
    assert found["verdict"] == "no verdict"
    assert found["sentence"] == (
        f"m: no verdict, whether base has a gap cannot be told from chance: {why}."
    )


def test_few_clusters_give_no_verdict_by_any_metric(make_run, metrics):
    rng = np.random.default_rng(0)
    rng.normal(size=(400, 1))  # as make_run draws targets, and then groups
    groups = rng.integers(0, 2, 400)
    people = 2 * groups + np.arange(400) % 2  # two in each group

    def predict(trial, y, groups, rng):
        return y + rng.normal(size=y.shape) * (1 + (trial.method == "base") * groups[:, None])

    run = Run(make_run(splits=8, rows=400, clusters=people, predict=predict).path)
    assert run.noise()["powerless"].item().startswith("with 4 tested clusters")
    assert run.verdicts()["verdict"].item() == "no verdict"
    assert set(run.all_verdicts()["verdict"]) == {"no verdict"}
    alone = Run(make_run("alone", splits=8, rows=400, predict=predict).path)
    assert alone.verdicts()["verdict"].item() == "fairer"


def test_what_is_selected_on_test_is_described_only():
    for facts in CASES.values():
        found = verdict(facts, on_test=["d"]).iloc[0]
        assert (found["verdict"], found["accuracy"]) == ("described only", "")
        assert found[["p", "adjusted_p", "low", "high", "detectable", "p_fairer"]].isna().all()
        assert "described, not judged" in found["sentence"]
        assert "interval" not in found["sentence"]
    assert verdict(row(), on_test=["other"])["verdict"].item() == "fairer"


def test_the_worst_off_must_not_lose():
    found = verdict(row(worst_p=0.01, worst_change=0.3)).iloc[0]
    assert found["verdict"] == "fairer by levelling down"
    assert "The error of group f, the worst off, rises by 0.3." in found["sentence"]
    assert "No group's error" in verdict(row(gain_p=0.4))["sentence"].item()


def test_unknown_group_errors_decide_nothing():
    silent = {k: v for k, v in row().items() if k not in ("gain_p", "worst_group", "worst_p")}
    assert verdict(silent)["verdict"].item() == "fairer"


def test_multiplicity_is_paid_for():
    rows = [row(p=0.03), *(row(method=f"n{i}", p=0.5, low=-1, high=1) for i in range(4))]
    found = verdict(*rows)
    assert found["adjusted_p"].iloc[0] == pytest.approx(0.15)
    assert found["verdict"].iloc[0] == "not distinguishable"
    assert "all comparisons" in found["sentence"].iloc[0]
    assert found["comparisons"].tolist() == [5] * 5


def test_what_is_exploratory_is_corrected_by_itself():
    primary = Primary("rmse", "gap", views={"d": ("y", "a")})
    rows = [row(p=0.03), *(row(target=f"y{i}", p=0.03) for i in range(3))]
    found = verdict(*rows, primary=primary, others=np.array([0.5]))
    assert found["analysis"].tolist() == ["primary", *["exploratory"] * 3]
    assert found["adjusted_p"].tolist() == pytest.approx([0.03, 0.12, 0.12, 0.12])
    assert found["comparisons"].tolist() == [1, 4, 4, 4]
    assert found["sentence"].str.startswith("Exploratory: ").tolist() == [False, True, True, True]
    elsewhere = verdict(*rows, axes=Axes("rmse", "ks"), primary=primary)
    assert set(elsewhere["analysis"]) == {"exploratory"}
    wider = verdict(row(margin=0.1), primary=primary)
    assert wider["analysis"].item() == "exploratory"


def test_more_comparisons_need_larger_differences():
    alone = verdict(row())["detectable"].item()
    among = verdict(row(), *(row(method=f"n{i}") for i in range(9)))["detectable"].iloc[0]
    assert among > 1.4 * alone
    found = verdict(row()).iloc[0]
    assert found["detectable_low"] < alone < found["detectable_high"]


def test_accuracy_has_a_verdict_of_its_own():
    cases = {
        "more accurate": row(error_p=0.01, error_difference=-0.2),
        "as accurate as": row(equal_error_p=0.01),
        "less accurate": row(error_p=0.01),
        "accuracy not distinguishable": row(),
        "": row(distinct=1),
    }
    assert set(cases) == {rule.verdict for rule in ACCURACY}
    for expected, facts in cases.items():
        assert verdict(facts)["accuracy"].item() == expected
    ridge = row(error_p=0.001, error_difference=-0.252, error_low=-0.42, error_high=-0.046)
    assert "It is more accurate by 12.6 % (2.3 to 21 %)." in verdict(ridge)["sentence"].item()


def test_unknown_p_is_no_verdict_in_favour():
    assert verdict(row(p=np.nan))["verdict"].item() == "not distinguishable"
    assert verdict(row(margin_p=np.nan))["verdict"].item() == "not at this error"


def test_the_sentence_people_quote():
    assert verdict(row())["sentence"].item() == (
        "m is fairer than base: gap -0.2 (-40.0%), 95 % interval -0.3 to -0.1; fairer on 9 of 10 "
        "splits. In accuracy the two are not distinguishable: rmse +1 % (-0.5 to +2.5 %)."
    )
    less = verdict(row(difference=0.2))["sentence"].item()
    assert less.startswith("m is less fair than base: gap +0.2")
    noise = verdict(row(p=0.3, low=-0.5, high=0.1)).iloc[0]
    assert noise["sentence"].startswith("m is not distinguishable in fairness from base: gap -0.2")
    told = f"Differences below {noise['detectable']:.3g} would usually have been missed"
    assert told in noise["sentence"]
    assert "complete removal" not in noise["sentence"]
    hopeless = verdict(row(p=0.3, base_disparity=0.05))["sentence"].item()
    assert "even a complete removal of the disparity" in hopeless


def test_a_metric_best_when_high_is_quoted_in_its_own_direction():
    worse = row(base_error=-0.8, margin_p=0.5)
    found = verdict(worse, axes=Axes("r2", "ratio", "high", "one"))["sentence"].item()
    assert "r2 -0.02 (-2.5%), 95 % interval -0.05 to +0.01" in found
    fine = verdict(row(), axes=Axes("r2", "ratio", "high", "one"))["sentence"].item()
    assert "distance of ratio from 1 -0.2" in fine


def test_disagreement_is_named():
    table = pd.concat(
        [
            verdict(row()).assign(metric="gap"),
            verdict(row(difference=0.3, low=0.1)).assign(metric="ks"),
            verdict(row(method="n")).assign(metric="gap"),
        ]
    )
    found = disagreements(table)
    assert found["warning"].tolist() == ["Metrics disagree on m: fairer by gap, less fair by ks."]


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
    assert found["accuracy"].tolist() == ["more accurate"]
    assert found["worst_group"].item() == "m"
    assert found["difference"].item() < -0.4
    assert found["sentence"].item().startswith("tuned is fairer than base: gap -0.")


def test_no_gain_in_a_run_is_noise(make_run, metrics):
    path = make_run(splits=6, rows=600, predict=better(0.0)).path
    found = Run(path).verdicts(View(tolerance=0.4))
    assert found["verdict"].item() in {"not distinguishable", "as fair as"}


def test_a_method_out_of_reach(make_run, metrics):
    def predict(trial, y, groups, rng):
        size = 1 if trial.method == "base" else 3
        return y + size * rng.normal(size=y.shape) * (0.5 + groups[:, None])

    found = Run(make_run(splits=4, rows=300, predict=predict).path).verdicts()
    assert found["verdict"].tolist() == ["not at this error"]
    assert found["accuracy"].tolist() == ["less accurate"]


def test_a_fair_baseline_leaves_nothing_to_repair(make_run, metrics):
    def predict(trial, y, groups, rng):
        return y + rng.normal(size=y.shape)

    found = Run(make_run(splits=4, rows=300, predict=predict).path).verdicts()
    assert found["verdict"].tolist() == ["nothing to repair"]
    assert "within chance" in found["sentence"].item()


def test_noise_for_the_better_off_is_levelling_down(make_run, metrics):
    def predict(trial, y, groups, rng):
        own = np.array([0.5 if trial.method == "base" else 0.9, 1.0])[groups][:, None]
        row_noise = np.random.default_rng(5).normal(size=y.shape)
        return y + own * row_noise + 0.01 * rng.normal(size=y.shape)

    run = Run(make_run(splits=8, rows=600, predict=predict).path)
    found = run.all_verdicts(View(tolerance=0.5)).set_index("metric").loc["gap"]
    assert found["difference"] < -0.2
    assert found["verdict"] == "fairer by levelling down"


def test_copies_selected_on_test_are_described_only(make_run, metrics):
    found = Run(make_run(splits=5, selection="test").path).verdicts()
    assert found["verdict"].tolist() == ["described only"]
    assert found["adjusted_p"].isna().all()


def test_all_metrics_are_one_exploratory_family(make_run, metrics):
    run = Run(make_run(splits=6, rows=300).path)
    together = run.all_verdicts().set_index("metric")
    assert together["analysis"].to_dict() == {
        "gap": "primary",
        "bias-gap": "exploratory",
        "closeness": "exploratory",
    }
    rest = together.drop(index="gap")
    assert rest["adjusted_p"].to_numpy() == pytest.approx(holm(rest["p"].to_numpy()))
    other = run.verdicts(View(disparity="bias-gap"))
    assert other["analysis"].item() == "exploratory"
    assert other["comparisons"].item() == 2


def test_a_baseline_no_better_than_the_mean_is_said(make_run, metrics):
    def useless(trial, y, groups, rng):
        return np.full_like(y, y.mean()) + 0.1 * rng.normal(size=y.shape)

    found = Run(make_run("useless", splits=5, predict=useless).path).skill()
    assert found["better"].tolist() == [False]
    good = Run(make_run("good", splits=5, predict=lambda t, y, g, rng: y + 0.1).path).skill()
    assert good["better"].tolist() == [True]
    run = Run(tmp := make_run("hand", splits=1).path)
    rows = RunFolder(tmp).rows("toy")
    split, y = rows.splits[0], rows.targets[:, 0]
    by_hand = np.abs(y[split.train].mean() - y[split.test]).mean()
    assert run.skill()["mean_error"].item() == pytest.approx(by_hand)


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
        axes = run.axes(View(disparity=name))
        points = measured(chosen, run.fronts(View(disparity=name)), axes, run.baseline)
        alone = compare(paired(points), run.corrections)
        own = together[together["metric"] == name].reset_index(drop=True)
        pd.testing.assert_frame_equal(own[list(alone)], alone, rtol=1e-12)
    assert set(together["metric"]) == {"gap", "bias-gap", "closeness"}


def test_without_baseline_there_is_no_verdict(make_run, metrics):
    run = Run(make_run(baseline=None).path)
    assert run.verdicts().empty
    assert run.matched().empty
    assert run.noise().empty
    assert run.all_verdicts().empty


def test_one_split_many_times_is_no_evidence(make_run, metrics):
    """Twelve seeds of clusters that allow one test set: p would be zero."""
    run = Run(make_run(splits=6).path)
    one = run.overlaps["toy"].of(np.zeros(6, dtype=int))
    same = Correction(one.ratio, one.df, one.distinct)
    found = judge(run.fronts(), run.axes(), "base", {"toy": same})
    assert found["verdict"].tolist() == ["no verdict"]
    assert found[["low", "p", "margin_p", "detectable"]].isna().all(axis=None)


def test_judge_of_merged_runs_is_that_of_each(make_run, metrics):
    runs = [Run(make_run("a", dataset="a").path), Run(make_run("b", dataset="b", seed=3).path)]
    fronts = pd.concat([run.fronts() for run in runs])
    both = judge(fronts, runs[0].axes(), "base", {"a": Correction(1 / 3), "b": Correction(1 / 3)})
    assert both["difference"].tolist() == pytest.approx(
        [run.verdicts()["difference"].item() for run in runs]
    )
