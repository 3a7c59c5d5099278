"""Several runs as one: labels, sheets, and the fronts over all splits."""

from __future__ import annotations

import copy
from collections.abc import Callable

import numpy as np
import pytest

from fairbench.analyze import Axes, Run
from fairbench.errors import StudyError
from fairbench.report import View, averaged_fronts, gather


def brute_force(fronts, axes: Axes):
    """Averaged fronts by definition: compare every mean with every other."""
    columns = ["error", "disparity", "selection_error", "selection_disparity"]
    known = fronts.dropna(subset=columns)
    keys = ["dataset", "target", "protected", "method"]
    found = set()
    for key, own in known.groupby(keys):
        values = [np.nan] if own["value"].isna().all() else own["value"].unique()
        means = {}
        for value in values:
            same = own[own["value"].isna()] if np.isnan(value) else own[own["value"] == value]
            means[value] = same[columns].mean()
        for value, mean in means.items():
            a, b = mean["selection_error"], mean["selection_disparity"]
            if not any(
                (m["selection_error"] <= a and m["selection_disparity"] <= b)
                and (m["selection_error"] < a or m["selection_disparity"] < b)
                for m in means.values()
            ):
                found.add((*key, f"{value:g}", f"{mean['error']:.9g}", f"{mean['disparity']:.9g}"))
    return found


def test_averaged_fronts_are_those_of_the_definition(run):
    fronts = run.fronts()
    table = averaged_fronts(fronts, run.axes())
    found = {
        (p.dataset, p.target, p.protected, p.method, f"{p.value:g}", f"{p.error:.9g}",
         f"{p.disparity:.9g}")
        for p in table.itertuples()
    }  # fmt: skip
    assert found == brute_force(fronts, run.axes())
    assert (table["chosen"] <= table["trials"]).all()
    assert len(table) > 20


def test_averages_leave_lost_trials_out(run):
    own = averaged_fronts(run.fronts(), run.axes())
    ridge = own[(own["method"] == "ridge") & (own["dataset"] == "parkinson")]
    assert set(ridge["trials"]) == {4}, "one of five chunks of ridge failed"


def test_the_baseline_comes_first(contents):
    for sheet in contents.sheets:
        assert sheet.baseline == "single-task"
        assert next(iter(sheet.methods)) == "single-task"


def test_a_view_chooses_the_axes(small):
    contents = gather([small], View("mae", "mae-disparity"))
    assert (contents.axes.error, contents.axes.disparity) == ("mae", "mae-disparity")
    measured = small.metrics()
    own = measured[(measured["part"] == "test") & (measured["status"] == "ok")]
    assert sorted(contents.fronts["error"].dropna()) == pytest.approx(sorted(own["mae"]))


def test_tolerance_decides_what_is_compared(small):
    strict = gather([small], View(tolerance=0.0)).judgement.verdicts
    loose = gather([small], View(tolerance=5.0)).judgement.verdicts
    assert strict["within"].sum() < loose["within"].sum()
    assert (loose["within"] == loose["splits"]).all()


@pytest.mark.parametrize(
    ("view", "words"),
    [
        (View("mean-parity"), "metric of disparity"),
        (View(disparity="rmse"), "metric of error"),
        (View("rmes"), "rmse"),
    ],
)
def test_a_metric_that_does_not_fit_is_named_with_one_that_does(small, view, words):
    with pytest.raises(StudyError, match=words):
        gather([small], view)


@pytest.fixture(scope="module")
def second(made_up, tmp_path_factory) -> Callable[..., Run]:
    """Another run on the data of `small`, under any title."""
    folder = tmp_path_factory.mktemp("second") / "run"
    made_up.write_run(
        folder, methods=made_up.arms(6), trouble=False, labels=("boston",), seed=3
    )  # fmt: skip
    computed = Run(folder)
    gather([computed], View())  # computes every table once, for all titles

    def titled(title: str, digest: str = "") -> Run:
        manifest = copy.deepcopy(dict(computed.manifest))
        manifest["title"] = title
        if digest:
            manifest["datasets"]["boston"]["digest"] = digest
        # Neither changes a number: its tables are computed once.
        other = copy.copy(computed)
        other.manifest = manifest
        return other

    return titled


def test_runs_with_the_same_rows_share_a_sheet(small, second):
    together = gather([small, second("second run")], View())
    alone = gather([small], View())
    (sheet,) = together.sheets
    assert len(sheet.methods) == 8
    assert {"ridge", "ridge (second run)"} < set(sheet.methods)
    assert sheet.baseline == "single-task"
    mine = together.averages[~together.averages["method"].str.endswith("(second run)")]
    assert len(mine) == len(alone.averages)
    # The second run's baseline is a method like others, judged against the first's.
    judged = together.judgement.verdicts
    assert "single-task (second run)" in set(judged["method"])
    assert len(judged) == 4 * 7
    assert set(together.measured["method"]) == set(sheet.methods)


def test_runs_on_other_rows_keep_apart(small, second):
    apart = gather([small, second("other rows", digest="f" * 64)], View())
    labels = [sheet.label for sheet in apart.sheets]
    assert labels == ["boston", "boston (other rows)"]
    for sheet in apart.sheets:
        assert list(sheet.methods) == list(small.manifest["methods"]["boston"])
    tables = (apart.trials, apart.measured, apart.groups, apart.fronts,
              apart.judgement.verdicts, apart.judgement.noise)  # fmt: skip
    assert all(set(table["dataset"]) == set(labels) for table in tables)


def test_runs_of_one_title_are_told_apart(small, second):
    together = gather([small, second(small.manifest["title"])], View())
    assert len(together.sheets[0].methods) == 8
    assert together.title == "static-alpha on made-up data"


def test_problems_and_notes_reach_the_reader(contents):
    assert any("broken" in remark for remark in contents.remarks)


def test_diverged_trials_are_told_from_failed_chunks(contents):
    assert list(contents.diverged["status"]) == ["diverged"]
    assert list(contents.failures["method"]) == ["ridge"]


def test_an_old_run_is_said_to_have_been_judged_by_older_rules(made_up, tmp_path):
    folder = made_up.write_run(tmp_path / "old", labels=("boston",), views=1, trouble=False)
    today = gather([Run(folder.path)], View())
    assert not any("older rules" in remark for remark in today.remarks)
    manifest = dict(folder.manifest)
    del manifest["rules"], manifest["primary"]
    folder.write_manifest(manifest)
    (remark,) = [r for r in gather([Run(folder.path)], View()).remarks if "older rules" in r]
    assert "declared no primary analysis" in remark


def test_runs_that_select_on_test_are_described_only(made_up, tmp_path):
    folder = made_up.write_run(
        tmp_path / "run", labels=("boston",), views=1, trouble=False, selection="test"
    )
    judged = gather([Run(folder.path)], View()).judgement.verdicts
    assert set(judged["verdict"]) == {"described only"}
    assert judged[["p", "adjusted_p", "low", "population_low"]].isna().all(axis=None)
