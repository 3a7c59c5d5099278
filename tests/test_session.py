"""What a run folder tells of how it came about: sittings, failures and notes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

import fairbench
from fairbench.cli import main
from fairbench.errors import transient
from fairbench.runner import failed_trials
from fairbench.sittings import MOST_NOTES, gathered
from fairbench.store import RunFolder
from fairbench.study import Study

FLAKY = """
    from dataclasses import dataclass
    from pathlib import Path

    import numpy as np
    import torch

    from fairbench.method import OneByOne, Prediction, Tradeoff
    from fairbench.plugins import MethodDescription, hookimpl
    from fairbench.train import NetworkMethod, target_tasks, task_losses
    from fairbench.weighting import Weighting

    @hookimpl
    def fairbench_methods():
        yield MethodDescription(name="flaky", summary="x", target="flaky:Flaky")
        yield MethodDescription(name="looking", summary="x", target="flaky:Looking")

    @dataclass(frozen=True)
    class Flaky(OneByOne):
        marker: str = ""
        error: str = "MemoryError"
        worst: float = 2.0

        tradeoff = Tradeoff("a", (1.0, 2.0))

        def fit(self, trial, work):
            with Path(self.marker).open("a") as file:
                file.write(f"{trial.value:g} ")
            count = Path(self.marker).read_text().count(f"{trial.value:g} ")
            if trial.value == self.worst and count == 1:
                raise {
                    "MemoryError": MemoryError(),
                    "ENOSPC": OSError(28, "No space left on device"),
                    "LinAlgError": np.linalg.LinAlgError("singular"),
                }[self.error]
            split = work.fold.split
            return Prediction(np.zeros((split.validation.size, 1)), np.zeros((split.test.size, 1)))

    @dataclass(frozen=True)
    class Looking(NetworkMethod):
        def tasks(self, dataset):
            return target_tasks(dataset)

        def weighting(self, dataset):
            return Weighting()

        def losses(self, tasks, outputs, batch, tradeoff):
            losses = task_losses(tasks, outputs, batch)
            return losses if float(losses.detach().sum()) > 0 else 2 * losses
"""


def study(*methods: object, **more: object) -> Study:
    base = {"datasets": ["synthetic"], "baseline": None, "seeds": 1, "metrics": ["rmse"]}
    return Study(methods=methods, **{**base, "training": {"epochs": 1}, **more})


def run(out: Path, *methods: object, **more: object):
    return fairbench.run(study(*methods, **more), out=out, executor="serial")


# Sittings


def test_a_finished_study_that_is_run_again_keeps_its_manifest(tmp_path):
    asked = study("ridge", "mean")
    fairbench.run(asked, out=tmp_path / "run", jobs=1, executor="serial", command="first")
    before = (tmp_path / "run/manifest.json").read_bytes()
    fairbench.run(asked, out=tmp_path / "run", jobs=2, executor="local", command="second")
    assert (tmp_path / "run/manifest.json").read_bytes() == before
    manifest = json.loads(before)
    (sitting,) = manifest["sittings"]
    facts = ("jobs", "executor", "device", "command", "how", "chunks", "trials", "trials_failed")
    assert [sitting[name] for name in facts] == [1, "serial", "cpu", "first", "finished", 2, 2, 0]
    assert sitting["ended"] >= sitting["started"]
    assert sitting["machine"] == manifest["machine"]


class Stopping:
    """Progress of a run that ends after its first chunk."""

    def __init__(self, error: BaseException) -> None:
        self._error = error

    def noted(self, note, /): ...

    def entered(self, phase, /): ...

    def started(self, plan, folder, done, total, seconds, /): ...

    def finished(self, outcome, /):
        raise self._error

    def stopped(self): ...


@pytest.mark.parametrize(
    ("error", "how"),
    [(KeyboardInterrupt(), "interrupted"), (ValueError("no\nmore"), "ValueError: no")],
)
def test_every_sitting_that_trained_is_recorded(tmp_path, error, how):
    out = tmp_path / "run"
    with pytest.raises(type(error)):
        fairbench.run(study("ridge", "mean", "gradient-boosting"), out=out, executor="serial",
                      progress=Stopping(error), command="one")  # fmt: skip
    manifest = json.loads((out / "manifest.json").read_text())
    (cut,) = manifest["sittings"]
    assert (cut["how"], cut["trials"]) == (how, 1)
    # As a kill would have left it, one chunk after its last word:
    manifest["sittings"][0] |= {"how": "running", "ended": None, "trials": 0}
    RunFolder(out).write_manifest(manifest)
    run(out, "ridge", "mean", "gradient-boosting")
    manifest = json.loads((out / "manifest.json").read_text())
    assert [(s["how"], s["trials"]) for s in manifest["sittings"]] == [
        ("killed", 1),
        ("finished", 2),
    ]
    assert manifest["command"] == "one"


# Failures


@pytest.fixture
def flaky(install, tmp_path):
    """A method whose trial at 2 fails when it is first tried, and what was tried."""
    install("far-away", {"flaky": FLAKY})
    marker = tmp_path / "marker"

    def method(error: str) -> dict[str, object]:
        return {"name": "flaky", "options": {"marker": str(marker), "error": error}}

    return method, lambda: marker.read_text().split()


@pytest.mark.parametrize("error", ["MemoryError", "ENOSPC"])
def test_what_failed_for_want_of_something_is_tried_again(flaky, tmp_path, error):
    method, tried = flaky
    asked = study(method(error), "ridge")
    first = fairbench.run(asked, out=tmp_path / "run", executor="serial")
    assert dict(zip(first.trials()["value"], first.trials()["status"], strict=True))[1.0] == "ok"
    assert failed_trials(first) == first.manifest["progress"]["trials_failed"] == 1
    ridge = next(tmp_path.glob("run/chunks/*ridge*.npz")).stat().st_mtime_ns
    second = fairbench.run(asked, out=tmp_path / "run", executor="serial")
    assert tried() == ["1", "2", "1", "2"]
    assert failed_trials(second) == second.manifest["progress"]["trials_failed"] == 0
    assert [s["trials_failed"] for s in second.manifest["sittings"]] == [1, 0]
    assert next(tmp_path.glob("run/chunks/*ridge*.npz")).stat().st_mtime_ns == ridge
    before = second.manifest
    third = fairbench.run(asked, out=tmp_path / "run", executor="serial")
    assert tried() == ["1", "2", "1", "2"]
    assert third.manifest == before


def test_what_failed_for_its_own_reason_is_tried_again_when_asked(flaky, tmp_path):
    method, tried = flaky
    asked, out = study(method("LinAlgError")), tmp_path / "run"
    for _ in range(2):
        result = fairbench.run(asked, out=out, executor="serial")
        assert failed_trials(result) == result.manifest["progress"]["trials_failed"] == 1
    assert tried() == ["1", "2"]
    assert "singular" in result.trials()["note"].iloc[-1]
    result = fairbench.run(asked, out=out, executor="serial", retry_failed=True)
    assert tried() == ["1", "2", "1", "2"]
    assert failed_trials(result) == result.manifest["progress"]["trials_failed"] == 0


def test_what_fails_as_a_whole_when_tried_again_keeps_what_it_had(flaky, tmp_path, monkeypatch):
    method, _ = flaky
    asked, out = study(method("LinAlgError")), tmp_path / "run"
    fairbench.run(asked, out=out, executor="serial")

    def broken(*_: object) -> None:
        raise RuntimeError("no")

    monkeypatch.setattr("fairbench.execute.job._train", broken)
    again = fairbench.run(asked, out=out, executor="serial", retry_failed=True)
    assert sorted(again.trials()["status"]) == ["failed", "ok"]
    assert again.failures().empty
    progress = again.manifest["progress"]
    assert (progress["chunks_failed"], progress["trials_failed"]) == (0, 1)
    assert [s["trials_failed"] for s in again.manifest["sittings"]] == [1, 2]


def test_failed_trials_are_counted_once(flaky, tmp_path, monkeypatch):
    """One trial alone, and two with their chunk: three of four, in every place."""
    method, _ = flaky
    monkeypatch.chdir(tmp_path)
    bad = {**method("boom"), "label": "bad"}
    bad["options"] = {**bad["options"], "marker": "no/such/folder"}
    tables = "".join(
        f"[[methods]]\nname = 'flaky'\nlabel = '{m.get('label', 'flaky')}'\n"
        f"options = {{marker = '{m['options']['marker']}', error = '{m['options']['error']}'}}\n"
        for m in (method("LinAlgError"), bad)
    )
    Path("study.toml").write_text(f"datasets = ['synthetic']\nseeds = 1\n{tables}")
    flags = ["--config", "study.toml", "--no-baseline", "--metric", "rmse", "--out", "run",
             "--executor", "serial"]  # fmt: skip
    done = CliRunner().invoke(main, ["run", *flags])
    assert done.exit_code == 1, done.output
    assert "3 trials failed; see the report." in done.stderr
    assert json.loads(Path("run/manifest.json").read_text())["progress"]["trials_failed"] == 3
    assert "4 of 4, 3 failed" in Path("run/report.html").read_text()
    again = CliRunner().invoke(main, ["run", *flags, "--retry-failed"])
    assert "2 trials failed; see the report." in again.stderr  # no folder is made for them


@pytest.mark.parametrize(
    ("error", "wanted"),
    [
        (MemoryError(), True),
        (OSError(24, "Too many open files"), True),
        (ConnectionResetError(), True),
        (ModuleNotFoundError("lightgbm"), True),
        (type("OutOfMemoryError", (RuntimeError,), {})("CUDA out of memory"), True),
        (RuntimeError("can't start new thread"), True),
        (RuntimeError("shapes differ"), False),
        (ValueError("x"), False),
        (ZeroDivisionError(), False),
        (KeyError("OutOfMemoryError"), False),
    ],
)
def test_transient(error, wanted):
    assert transient(error) is wanted


def test_an_error_is_as_transient_as_what_it_comes_from():
    def raised(how):
        try:
            how()
        except ValueError as error:
            return error

    def plainly():
        try:
            raise MemoryError
        except MemoryError as error:
            raise ValueError("no fit") from error

    def on_the_way():
        try:
            raise MemoryError
        except MemoryError:
            raise ValueError("no fit")  # noqa: B904

    def hidden():
        try:
            raise MemoryError
        except MemoryError:
            raise ValueError("no fit") from None

    assert [transient(raised(how)) for how in (plainly, on_the_way, hidden)] == [True, True, False]


# Notes


def test_notes_of_chunks_reach_the_manifest_and_every_report(install, tmp_path):
    install("far-away", {"flaky": FLAKY})
    result = run(tmp_path / "run", "looking", "ridge", seeds=3)
    (note,) = result.manifest["notes"]
    assert note.startswith("3 chunks of looking: Looking.losses is called trial by trial: vmap")
    for name in ("terminal", "html", "markdown", "json"):
        reporter = fairbench.plugins.load().find("reporter", name).build({})
        (page,) = reporter.render([result], fairbench.report.View()).values()
        assert "3 chunks of looking" in " ".join(page.split()), name
    again = run(tmp_path / "run", "looking", "ridge", seeds=3)
    assert again.manifest["notes"] == [note]  # read from the chunks on disk


def test_notes_are_gathered():
    said = [("b", ["same", "same"]), ("a", ["same"]), ("b", ["same", "other"])]
    assert gathered(said) == [
        "1 chunk of a: same",
        "1 chunk of b: other",
        "2 chunks of b: same",
    ]
    many = gathered([("a", [f"note {k}" for k in range(MOST_NOTES + 5)])])
    assert len(many) == MOST_NOTES + 1
    assert many[-1] == "5 further notes stand in the files of their chunks"
