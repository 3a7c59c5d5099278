"""What is measured of a run: the points that its protocol selects, on test rows."""

from __future__ import annotations

import gc

import numpy as np
import pytest

from fairbench.analyze import Run, baseline_points, matched_points
from fairbench.errors import RunFolderError, StudyError
from fairbench.gate import Tolerance, compare, gated_metrics, measure, value_key
from fairbench.store import RunFolder

PLACE = ("toy", "motor_UPDRS", "sex")


def values(snapshot, method, point, metric, place=PLACE):
    return snapshot.by_place[(*place, method, point, metric)].values


def test_the_axes_are_gated_unless_told_otherwise(make_run):
    assert gated_metrics(make_run()) == ("rmse", "rmse-disparity")


def test_points_are_those_of_the_analysis(make_run):
    run = make_run()
    found = measure(run, ["rmse", "rmse-disparity"])
    accurate = baseline_points(run.fronts(), run.axes(), "swept")
    fairest = matched_points(run.fronts(), run.axes(), "single-task", tolerance=0.05)
    for point, frame in [("most accurate", accurate), ("fairest within reach", fairest)]:
        rows = frame.query("target == 'motor_UPDRS' and protected == 'sex'")
        for metric, column in [("rmse", "error"), ("rmse-disparity", "disparity")]:
            expected = {value_key(r.split, r.seed): getattr(r, column) for r in rows.itertuples()}
            assert values(found, "swept", point, metric) == expected


def test_other_metrics_are_taken_at_the_same_trials(make_run):
    run = make_run()
    found = measure(run, ["mae"])
    chosen = baseline_points(run.fronts(), run.axes(), "swept").set_index("split")
    chosen = chosen.query("target == 'motor_UPDRS' and protected == 'sex'")
    table = run.metrics().query(
        "part == 'test' and method == 'swept' and target == 'motor_UPDRS' and protected == 'sex'"
    )
    for split in range(5):
        row = table[(table["split"] == split) & (table["value"] == chosen.loc[split, "value"])]
        key = value_key(split, split)
        assert values(found, "swept", "most accurate", "mae")[key] == row["mae"].item()


def test_reach_decides_which_point_is_the_fairest(make_run):
    run = make_run(gap=0.3, noise=1.3)
    near, far = (measure(run, ["rmse-disparity"], reach=reach) for reach in (0.0, 1.0))
    place = ("swept", "fairest within reach", "rmse-disparity")
    assert far.reach == 1.0
    assert values(near, *place) != values(far, *place)


def test_a_method_without_choice_has_one_point(make_run):
    found = measure(make_run(), ["rmse"])
    points = {(record.method, record.point) for record in found.records}
    assert points == {
        ("single-task", "most accurate"),
        ("swept", "most accurate"),
        ("swept", "fairest within reach"),
    }


def test_without_a_baseline_method_there_is_nothing_to_be_in_reach_of(make_run):
    found = measure(make_run(baseline=False), ["rmse"])
    assert {record.point for record in found.records} == {"most accurate"}


def test_selection_on_test_is_measured_too(make_run):
    found = measure(make_run(selection="test"), ["rmse"])
    assert found.protocol.selection == "test"
    assert all(v is not None for record in found.records for v in record.values.values())


def test_tolerances_follow_the_unit(make_run):
    run = make_run()
    spread = float(RunFolder(run.path).rows("toy").targets[:, 0].std())
    found = measure(run, ["rmse", "mse", "r2", "rmse-disparity"])
    tolerances = found.datasets["toy"].tolerances["motor_UPDRS"]
    assert tolerances["rmse"] == tolerances["mse"] == Tolerance(relative=0.02)
    assert tolerances["r2"] == Tolerance(absolute=0.02)
    assert tolerances["rmse-disparity"].limit(99.0) == pytest.approx(0.02 * spread, rel=0.005)


def test_older_tolerances_are_kept(make_run):
    run = make_run()
    older = measure(run, ["rmse"]).datasets["toy"]
    mine = {"motor_UPDRS": {"rmse": Tolerance(absolute=7.0)}}
    kept = {"toy": older.model_copy(update={"tolerances": mine})}
    found = measure(run, ["rmse", "mae"], kept=kept).datasets["toy"].tolerances
    assert found["motor_UPDRS"] == {
        "rmse": Tolerance(absolute=7.0),
        "mae": Tolerance(relative=0.02),
    }
    assert found["total_UPDRS"]["rmse"] == Tolerance(relative=0.02)


def test_splits_are_told_apart_by_their_rows(make_run, made_up):
    def splits(name, count):
        return measure(make_run(name, splits=count), ["rmse"]).datasets["toy"].splits

    few, many = splits("few", 3), splits("many", 5)
    assert len(set(many)) == 5
    assert many[:3] == few


def test_trials_that_failed_or_diverged_have_no_value(make_run, made_up):
    run = make_run(methods=made_up["arms"](6)[:3], trouble=True)
    found = measure(run, ["rmse"])
    assert values(found, "ridge", "most accurate", "rmse")["split 1, seed 1"] is None
    # One of six trade-off values diverged: the point is chosen among the others.
    assert values(found, "static-alpha", "most accurate", "rmse")["split 3, seed 3"] is not None


def test_a_run_held_against_itself_is_identical(make_run):
    run = make_run()
    before, now = measure(run, ["rmse"]), measure(Run(run.path), ["rmse"])
    assert before == now
    assert len(compare(before, now).of("identical")) == len(before.records)


def test_a_planted_loss_of_accuracy_is_found(make_run):
    before, now = (
        measure(make_run(name, noise=noise), ["rmse"])
        for name, noise in [("before", 1.0), ("after", 1.5)]
    )
    outcome = compare(before, now)
    assert outcome.exit_code == 1
    assert {one.place[3] for one in outcome.of("regression")} == {"swept"}
    assert compare(now, before).exit_code == 0
    assert compare(now, before).of("improvement")


def test_a_planted_loss_of_fairness_is_found(make_run):
    before, now = (
        measure(make_run(name, gap=gap, splits=8), ["rmse-disparity"])
        for name, gap in [("before", 0.0), ("after", 4.0)]
    )
    outcome = compare(before, now)
    found = {one.place[2] for one in outcome.of("regression") if one.place[3] == "swept"}
    assert "sex" in found


@pytest.mark.slow
def test_other_seeds_seldom_fail_the_gate(make_run, monkeypatch):
    """The whole path, from run folders: training drawn anew on the same splits."""
    from scipy import stats

    monkeypatch.setattr("os.fsync", lambda descriptor: None)
    before = measure(make_run("before", seed=10_000), ["rmse", "rmse-disparity"])
    alarms = 0
    studies = 200
    for seed in range(studies):
        now = measure(make_run("now", seed=seed), ["rmse", "rmse-disparity"])
        alarms += compare(before, now).exit_code
    assert stats.binomtest(alarms, studies, 0.05, alternative="greater").pvalue > 0.001


# Runs that cannot be read


def test_an_unfinished_run_is_refused(make_run):
    run = make_run()
    for file in sorted(run.path.glob("chunks/*.json"))[:2]:
        file.unlink()
    with pytest.raises(RunFolderError, match="not finished: 8 of 10 chunks, 2 missing"):
        measure(run, ["rmse"])


def test_an_unknown_metric_is_named(make_run):
    with pytest.raises(StudyError, match="no metric 'rmes'"):
        measure(make_run(), ["rmes"])


DAMAGE = {
    "no rows": lambda path: next((path / "rows").glob("*.npz")).unlink(),
    "empty rows": lambda path: next((path / "rows").glob("*.npz")).write_bytes(b""),
    "cut chunk": lambda path: _cut(next((path / "chunks").glob("*.npz"))),
    "flipped chunk": lambda path: _flip(next((path / "chunks").glob("*.npz"))),
    "chunk without trials": lambda path: next((path / "chunks").glob("*.json")).write_text("{}"),
    "manifest without versions": lambda path: _without(path, "versions"),
    "manifest without protocol": lambda path: _without(path, "protocol"),
}


def _cut(file):
    file.write_bytes(file.read_bytes()[:200])


def _flip(file):
    content = np.frombuffer(file.read_bytes(), dtype=np.uint8).copy()
    content[60:400] ^= 255
    file.write_bytes(content.tobytes())


def _without(path, key):
    manifest = dict(RunFolder(path).manifest)
    del manifest[key]
    RunFolder(path).write_manifest(manifest)


# numpy leaves a file that is no archive to the garbage collector to close.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_run_is_told(make_run, damage):
    path = make_run().path
    DAMAGE[damage](path)
    with pytest.raises(RunFolderError) as found:
        measure(Run(path), ["rmse"])
    assert str(path) in found.value.where
    assert found.value.hint
    del found
    gc.collect()
