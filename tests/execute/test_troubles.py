"""Whatever one chunk does, it is recorded, and all others finish: on every executor."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

import fairbench
from fairbench.cli import main
from fairbench.errors import StudyError
from fairbench.execute import Limits
from fairbench.progress import Quiet
from fairbench.runner import failed_trials
from tests.execute.commands import children

REASONS = {
    "raise": "RuntimeError: out of order",
    "exit": "SystemExit: 3",
    "shape": "predicted an array of shape (3,) for the validation rows",
    "stubborn": "of object, not numbers",
}
"""What plugins do that costs their own chunk wherever it is trained, and the reason recorded."""


def failures(run) -> dict[str, dict]:
    files = sorted((run.path / "failures").glob("*.json"))
    found = [json.loads(file.read_text()) for file in files]
    return {failure["trials"][0]["method"]: failure for failure in found}


def statuses(run) -> dict[str, str]:
    return dict(run.trials()[["method", "status"]].itertuples(index=False))


def test_in_this_process(study, trouble, tmp_path, capsys):
    troubles = [trouble(act) for act in ("fine", *REASONS, "nan", "print")]
    run = fairbench.run(study(*troubles), out=tmp_path / "run", executor="serial")
    assert statuses(run) == {
        **dict.fromkeys(REASONS, "failed"),
        "fine": "ok",
        "print": "ok",
        "nan": "diverged",
    }
    found = failures(run)
    for act, reason in REASONS.items():
        assert reason in found[act]["reason"]
        assert "Traceback" in found[act]["traceback"]
    assert failed_trials(run) >= len(REASONS)
    out, err = capsys.readouterr()
    assert (out, "noise" in err) == ("", True)
    progress = run.manifest["progress"]
    assert (progress["chunks_failed"], progress["chunks_done"]) == (4, 3)
    assert (progress["model_steps"], progress["jobs"]) == (21, 1)
    assert progress["model_steps_per_second"] > 0


@pytest.mark.parametrize(("executor", "seconds"), [("local", 6), ("dask", 15)])
def test_in_workers(executor, seconds, study, trouble, tmp_path, capfd):
    """A worker that dies costs its own chunk a second try; one that is too slow is replaced."""
    acts = ("sleep", "die", "fine", "raise", "print")
    once = trouble("once", marked=True)
    run = fairbench.run(
        study(*map(trouble, acts), once),
        out=tmp_path / "run",
        executor=executor,
        jobs=2,
        chunk_seconds=seconds,  # in which Dask has to replace a worker that died
    )
    assert statuses(run) == {
        "sleep": "failed",
        "die": "failed",
        "fine": "ok",
        "raise": "failed",
        "print": "ok",
        "once": "ok",
    }
    found = failures(run)
    assert found["sleep"]["reason"] == f"it took longer than {seconds} seconds"
    assert found["die"]["reason"].startswith("its worker died twice: ")
    assert REASONS["raise"] in found["raise"]["reason"]
    assert "trouble.py" in found["raise"]["traceback"]
    assert run.manifest["progress"]["executor"] == executor
    out, err = capfd.readouterr()
    assert out == ""
    # No word of the executor's own; a chunk that was on a dying worker is begun once more.
    assert set(err.strip().splitlines()) == {"noise on standard output"}
    assert not children()


def test_a_failed_chunk_is_exit_code_1_and_the_report_is_there(site, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    methods = '[{name = "trouble"}, {name = "trouble", label = "bad", options = {act = "raise"}}]'
    Path("study.toml").write_text(f'datasets = ["synthetic"]\nseeds = 1\nmethods = {methods}\n')
    flags = ["--no-baseline", "--out", "run", "--executor", "serial", "--metric", "rmse"]
    done = CliRunner().invoke(main, ["run", "--config", "study.toml", *flags])
    assert done.exit_code == 1, done.output
    assert "failed: RuntimeError: out of order" in done.stderr
    assert "trials failed; see the report." in done.stderr
    assert "RuntimeError: out of order" in Path("run/report.html").read_text()


def test_running_again_tries_failed_chunks_again(study, trouble, tmp_path):
    asked = study(trouble("raise", marked=True), trouble("fine"))
    first = fairbench.run(asked, out=tmp_path / "run", executor="serial")
    assert statuses(first) == {"raise": "failed", "fine": "ok"}
    before = [p.stat().st_mtime_ns for p in sorted((tmp_path / "run/chunks").iterdir())]
    again = fairbench.run(asked, out=tmp_path / "run", executor="serial")
    assert statuses(again) == {"raise": "ok", "fine": "ok"}
    assert not failures(again)
    after = [p.stat().st_mtime_ns for p in sorted((tmp_path / "run/chunks").iterdir())]
    assert set(before) < set(after)  # what was finished is not trained again
    progress = again.manifest["progress"]
    assert (progress["chunks_done"], progress["chunks_failed"]) == (2, 0)


def test_an_abandoned_run_leaves_no_worker(study, trouble, tmp_path):
    class Stop(Exception):
        pass

    class Impatient(Quiet):
        def finished(self, outcome):
            raise Stop

    asked = study(trouble("fine"), trouble("sleep"))
    with pytest.raises(Stop):
        fairbench.run(asked, out=tmp_path / "run", executor="local", jobs=2, progress=Impatient())
    assert not children()
    assert len(list((tmp_path / "run/chunks").glob("*.json"))) == 1


def test_serial_refuses_a_time_limit_that_it_cannot_keep(study, trouble, tmp_path):
    with pytest.raises(StudyError, match="cannot stop a chunk") as caught:
        fairbench.run(
            study(trouble("fine")), out=tmp_path / "run", executor="serial", chunk_seconds=1
        )
    assert caught.value.where == "--chunk-seconds"


@pytest.mark.parametrize(("name", "value"), [("jobs", 0), ("chunk_seconds", -1.0)])
def test_limits_are_positive(name, value, study, trouble, tmp_path):
    with pytest.raises(StudyError, match="not positive"):
        fairbench.run(study(trouble("fine")), out=tmp_path / "run", **{name: value})
    assert not (tmp_path / "run").exists()


def test_default_width():
    from fairbench.execute import Executor, cores

    class Plain(Executor):
        def run(self, shared, jobs, limits, /):
            yield from ()

    assert Plain().width(Limits(), 1000) == cores()
    assert Plain().width(Limits(7), 1000) == 7
    assert Plain().width(Limits(7), 3) == 3
    assert Plain().width(Limits(7), 0) == 1
