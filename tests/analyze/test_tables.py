import json
import shutil
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from fairbench.analyze import Axes, Run, View, as_loss, fronts_table, nondominated
from fairbench.errors import RunFolderError, StudyError
from fairbench.method import Trial


@pytest.fixture
def run(make_run, metrics):
    return Run(make_run(broken=[("tuned", 1.0, 2)]).path)


def test_metrics_are_those_of_the_stored_predictions(make_run, metrics):
    folder = make_run()
    table = Run(folder.path).metrics()
    rows = folder.rows("toy")
    chunk = next(c for c in folder.chunks() if c.key == "tuned-1")
    index = rows.splits[1].validation
    y, ŷ = rows.targets[index, 0], chunk.prediction("validation")[2, :, 0]
    wrong = np.abs(ŷ - y)
    sexes = rows.protected[0].groups[index]
    found = table.query("method=='tuned' and value==2.0 and split==1 and part=='validation'")
    assert len(found) == 1
    assert found["err"].item() == pytest.approx(wrong.mean(), rel=1e-12)
    expected = abs(wrong[sexes == 0].mean() - wrong[sexes == 1].mean())
    assert found["gap"].item() == pytest.approx(expected, rel=1e-12)
    assert found["closeness"].item() == -found["gap"].item()
    assert found["reasons"].item() == ""


def test_one_row_per_trial_part_target_and_attribute(run):
    table = run.metrics()
    assert len(table) == (1 + 3) * 3 * 2
    keys = ["dataset", "method", "value", "seed", "split", "part", "target", "protected"]
    assert not table.duplicated(keys).any()
    assert table[["method", "value", "split", "part"]].equals(
        table[["method", "value", "split", "part"]].sort_values(
            ["method", "value", "split", "part"], ignore_index=True, na_position="first"
        )
    )


def test_a_diverged_trial_is_in_every_table_and_on_no_front(run):
    lost = run.trials().query("status != 'ok'")
    assert lost[["method", "value", "split", "note"]].to_numpy().tolist() == [
        ["tuned", 1.0, 2, "loss is NaN"]
    ]
    values = run.metrics().query("status == 'diverged'")[["err", "gap", "bias-gap", "closeness"]]
    assert len(values) == 2
    assert values.isna().all(axis=None)
    assert not run.fronts().query("value == 1.0 and split == 2")["front"].item()
    assert run.groups().query("value == 1.0 and split == 2")["mae"].isna().all()


def test_a_group_too_small_gives_nan_with_the_reason(make_run, metrics):
    def one_woman_on_test(trial, y, groups, rng):
        return y

    folder = make_run(predict=one_woman_on_test)
    rows = folder.rows("toy")
    sexes = np.ones(len(rows.targets), dtype=np.int64)
    sexes[rows.splits[0].test[0]] = 0
    sexes[rows.splits[0].validation[:5]] = 0
    protected = type(rows.protected[0])("sex", "binary", sexes * 1.0, sexes, ("f", "m"))
    folder.write_rows("toy", type(rows)(rows.targets, (protected,), None, rows.splits))
    test = Run(folder.path).metrics().query("split == 0 and part == 'test'")
    assert test["gap"].isna().all()
    assert all("'f' of sex has 1 rows" in json.loads(text)["gap"] for text in test["reasons"])
    assert Run(folder.path).fronts().query("split == 0")["front"].sum() == 0


def test_groups_by_hand(make_run, metrics):
    folder = make_run()
    table = Run(folder.path).groups()
    rows = folder.rows("toy")
    index = rows.splits[0].test
    chosen = index[rows.protected[0].groups[index] == 1]
    chunk = next(c for c in folder.chunks() if c.key == "base-0")
    ŷ = np.full(len(rows.targets), np.nan)
    ŷ[index] = chunk.prediction("test")[0, :, 0]
    wrong = ŷ[chosen] - rows.targets[chosen, 0]
    found = table.query("method=='base' and split==0 and part=='test' and group=='m'")
    assert found["n"].item() == len(chosen)
    assert found["mae"].item() == pytest.approx(np.abs(wrong).mean())
    assert found["mse"].item() == pytest.approx((wrong**2).mean())
    assert found["bias"].item() == pytest.approx(wrong.mean())


def test_trials_hold_what_training_recorded(run):
    trials = run.trials()
    assert len(trials) == 12
    assert (trials["epochs"] == 7).all()
    assert trials["value"].isna().sum() == 3


def test_trials_of_a_failed_chunk_are_listed(make_run, metrics):
    folder = make_run()
    folder.write_failure("gone", [Trial("toy", "tuned", 9.0, 0, 0)], "killed", "Traceback: …")
    run = Run(folder.path)
    row = run.trials().query("value == 9.0")
    assert row[["status", "note", "chunk"]].to_numpy().tolist() == [["failed", "killed", "gone"]]
    failed = run.failures()
    assert failed[["chunk", "method", "trials", "reason"]].to_numpy().tolist() == [
        ["gone", "tuned", 1, "killed"]
    ]
    assert Run(make_run("sound").path).failures().empty


def test_front_is_chosen_on_validation_and_reported_on_test(run):
    fronts, metrics = run.fronts(), run.metrics()
    assert len(fronts) == 12
    merged = fronts.merge(
        metrics.query("part=='test'"), on=["method", "value", "split", "seed"], how="left"
    )
    pd.testing.assert_series_equal(merged["error"], merged["err"], check_names=False)
    for _, part in fronts.groupby(["method", "split", "seed"]):
        points = part[["selection_error", "selection_disparity"]].to_numpy()
        for point, chosen in zip(points, part["front"], strict=True):
            better = (points <= point).all(1) & (points < point).any(1)
            assert chosen == (not better.any() and np.isfinite(point).all())


def test_selection_on_test_is_what_the_protocol_says(make_run, metrics):
    fronts = Run(make_run(selection="test").path).fronts()
    pd.testing.assert_series_equal(fronts["error"], fronts["selection_error"], check_names=False)


def test_a_metric_best_when_high_makes_the_same_front_as_its_negative(run):
    low, high = run.fronts(), run.fronts(View(disparity="closeness"))
    assert low["front"].equals(high["front"])
    assert high["disparity"].dropna().max() <= 0
    assert run.axes(View(disparity="closeness")) == Axes("err", "closeness", "low", "high")


@given(arrays(float, (12, 2), elements=st.sampled_from([0.0, 1.0, 2.0, 3.0, np.nan])))
def test_nondominated_against_the_definition(points):
    found = nondominated(points)
    for point, kept in zip(points, found, strict=True):
        known = points[np.isfinite(points).all(1)]
        better = (known <= point).all(1) & (known < point).any(1)
        assert kept == (np.isfinite(point).all() and not better.any())


def test_losses():
    values = np.array([0.5, 1.0, 2.0])
    assert as_loss(values, "low").tolist() == [0.5, 1.0, 2.0]
    assert as_loss(values, "high").tolist() == [-0.5, -1.0, -2.0]
    assert as_loss(values, "one").tolist() == [0.5, 0.0, 1.0]


def test_an_unfinished_run_has_empty_tables(make_run, metrics):
    folder = make_run()
    for file in (folder.path / "chunks").iterdir():
        file.unlink()
    run = Run(folder.path)
    assert run.trials().empty
    assert run.metrics().empty
    assert run.groups().empty
    assert run.fronts().empty
    assert run.summary().empty
    run.write_tables()
    assert pd.read_parquet(folder.path / "fronts.parquet").empty


def test_summary_by_hand(run):
    summary = run.summary()
    fronts = run.fronts()
    row = summary.query("method == 'tuned' and point == 'fairest'").iloc[0]
    best = [
        part.nsmallest(1, "selection_disparity")
        for _, part in fronts.query("method == 'tuned'").groupby("split")
    ]
    best = pd.concat(best)
    assert row["disparity"] == pytest.approx(best["disparity"].mean())
    assert row["error_sd"] == pytest.approx(best["error"].std())
    assert row["value"] == best["value"].median()
    assert (row["runs"], row["trials"], row["unusable"]) == (3, 9, 1)


def test_equal_runs_write_equal_bytes(make_run, metrics):
    first, second = make_run("a"), make_run("b")
    Run(first.path).write_tables()
    Run(second.path).write_tables()
    for name in ("trials", "metrics", "groups", "fronts"):
        one = (first.path / f"{name}.parquet").read_bytes()
        assert one == (second.path / f"{name}.parquet").read_bytes()
    run = Run(first.path)
    pd.testing.assert_frame_equal(
        pd.read_parquet(first.path / "metrics.parquet"), run.metrics(), check_dtype=False
    )
    pd.testing.assert_frame_equal(
        pd.read_parquet(first.path / "trials.parquet"), run.trials(), check_dtype=False
    )


def test_a_metric_whose_plugin_is_gone_is_left_out_with_a_note(make_run, metrics):
    run = Run(make_run(metrics=("err", "gap", "vanished")).path)
    assert "vanished" not in run.metrics().columns
    assert len(run.notes) == 1
    assert "'vanished' is left out" in run.notes[0]
    with pytest.raises(StudyError, match=r"no metric 'vanished'.*left out"):
        run.fronts(View(disparity="vanished"))


def test_an_unknown_metric_names_the_nearest(run):
    with pytest.raises(StudyError, match="did you mean 'gap'"):
        run.fronts(View(disparity="gab"))


def test_tables_are_the_callers_to_change(run):
    table = run.metrics()
    table["err"] = 0.0
    assert (run.metrics()["err"] != 0).any()


KEPT = ["matched", "verdicts", "all_verdicts", "noise", "quality", "indicators", "optimism",
        "attainment", "audits", "summary", "failures"]  # fmt: skip


@pytest.mark.parametrize("name", KEPT)
def test_what_a_run_concludes_is_computed_once_and_the_callers_to_change(make_run, metrics, name):
    run = Run(make_run().path)
    first = getattr(run, name)()
    kept = first.copy()
    first["dataset"] = "changed"
    # Nothing is left to compute it from a second time.
    for other in ("metrics", "trials"):
        run._tables.pop(other, None)
    shutil.rmtree(run.path)
    pd.testing.assert_frame_equal(getattr(run, name)(), kept)


def test_another_view_is_computed_anew(run):
    assert not run.matched(View(tolerance=5.0)).equals(run.matched(View(tolerance=0.0)))
    assert not run.summary(View(disparity="closeness")).equals(run.summary())


def test_no_run_folder(tmp_path):
    with pytest.raises(RunFolderError, match="is no run folder"):
        Run(tmp_path)


def test_fronts_need_no_run(run):
    again = fronts_table(run.metrics(), "validation", run.axes())
    pd.testing.assert_frame_equal(again, run.fronts())


def test_importing_imports_no_torch():
    code = "import sys, fairbench.analyze; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
