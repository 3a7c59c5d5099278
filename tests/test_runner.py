"""Runs from Python: where they go, what is refused, what observers and progress are told."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import fairbench
from fairbench.errors import FairbenchError, RunFolderError, StudyError
from fairbench.execute import Limits
from fairbench.kernel import build, compiler
from fairbench.plugins import added, hookimpl, load
from fairbench.progress import Quiet
from fairbench.runner import _default
from fairbench.store import RunFolder
from fairbench.study import Study

STUDY = Study(methods=["ridge"], datasets=["synthetic"], baseline=None, seeds=2, metrics=["rmse"])


def test_the_same_study_goes_to_the_same_folder_and_another_to_another(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    first, again = (fairbench.run(STUDY, executor="serial") for _ in range(2))
    assert first.path == again.path
    assert first.path.parent == Path("runs")
    assert first.path.name.startswith("ridge-on-synthetic-")
    other = fairbench.run(STUDY.model_copy(update={"seeds": 1}), executor="serial")
    assert other.path != first.path


def test_a_title_is_a_name_of_a_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    study = Study(
        methods=[{"name": "mean", "label": "../up/and away"}],
        datasets=["synthetic"],
        baseline=None,
        seeds=1,
        metrics=["rmse"],
    )
    assert fairbench.run(study, executor="serial").path.parent == Path("runs")
    assert [p.name for p in tmp_path.iterdir()] == ["runs"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda m: m["versions"].update(torch="1.0"), "other versions of fairbench"),
        (lambda m: None, "other data or other plugin code"),
        (lambda m: m["study"].update(seeds=9), r"a different study \(differs in seeds\)"),
    ],
)
def test_a_folder_that_was_begun_otherwise(change, said, tmp_path):
    out = tmp_path / "run"
    fairbench.run(STUDY, out=out, executor="serial")
    manifest = json.loads((out / "manifest.json").read_text())
    change(manifest)
    RunFolder(out).write_manifest(manifest | {"id": "0"})
    text = (out / "manifest.json").read_text()
    with pytest.raises(RunFolderError, match=said):
        fairbench.run(STUDY, out=out, executor="serial")
    assert (out / "manifest.json").read_text() == text


def test_a_run_killed_before_its_first_chunk_continues(tmp_path):
    out = tmp_path / "run"
    out.mkdir()
    for name in (".lock", ".manifest.json.77.part"):
        (out / name).write_text("")
    run = fairbench.run(STUDY, out=out, executor="serial")
    assert run.manifest["progress"]["trials_done"] == 2
    assert not list(out.glob(".*.part"))


def test_executors_by_default(monkeypatch):
    monkeypatch.setattr("fairbench.runner.cores", lambda: 4)

    def name(limits: Limits, chunks: int, device: str = "cpu") -> str:
        return type(_default(load(), limits, chunks, device)).__name__

    assert name(Limits(), 10) == "Local"
    assert name(Limits(), 1) == "Serial"
    assert name(Limits(1), 10) == "Serial"
    assert name(Limits(1, 60.0), 10) == "Local"  # a time limit needs a process to end
    assert name(Limits(), 10, "cuda") == "Serial"
    assert name(Limits(2), 10, "cuda") == "Local"


def test_no_device(monkeypatch, tmp_path):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(StudyError, match="no CUDA device") as caught:
        fairbench.run(STUDY, out=tmp_path / "run", device="cuda")
    assert caught.value.where == "--device cuda"


def test_observers_and_progress_are_told(tmp_path):
    told = []

    class Watching:
        @hookimpl
        def fairbench_run_started(self, run):
            told.append(("started", run))

        @hookimpl
        def fairbench_chunk_finished(self, run, chunk):
            assert (Path(run) / "chunks" / f"{chunk}.json").exists()
            told.append(("chunk", run))

        @hookimpl
        def fairbench_run_finished(self, run):
            assert (Path(run) / "metrics.parquet").exists()
            told.append(("finished", run))

    class Progress:
        def entered(self, phase, /):
            told.append(("entered", phase))

        def started(self, plan, folder, done, total, seconds, /):
            told.append(("progress", (done, total)))

        def finished(self, outcome, /):
            told.append(("outcome", outcome.reason))

        def stopped(self):
            told.append(("stopped", ""))

    out = tmp_path / "run"
    with added(Watching()):
        fairbench.run(STUDY, out=out, executor="serial", progress=Progress())
    path = str(out)
    chunk = [("chunk", path), ("outcome", "")]
    assert told == [
        ("entered", "reading synthetic"),
        ("entered", "splitting synthetic, 2,000 rows"),
        ("entered", "storing the rows"),
        ("started", path),
        ("progress", (0, 2)),
        *chunk,
        *chunk,
        ("entered", "auditing the data"),
        ("entered", "analysing"),
        ("finished", path),
        ("stopped", ""),
    ]


def test_progress_is_told_of_the_end_of_a_study_that_cannot_be_planned():
    told = []

    class Progress(Quiet):
        def stopped(self):
            told.append("stopped")

    with pytest.raises(FairbenchError):
        fairbench.run(STUDY.model_copy(update={"error": "no such"}), progress=Progress())
    assert told == ["stopped"]


# The kernel


def networks(kernel="auto"):
    return Study(
        methods=[{"name": "static-alpha", "tradeoff": [1.0, 2.0]}],
        datasets=["synthetic"],
        baseline=None,
        seeds=1,
        metrics=["rmse"],
        training={"epochs": 1, "kernel": kernel},
    )


@pytest.fixture
def no_compiler(monkeypatch):
    monkeypatch.setenv("CXX", "no-such-compiler")
    for function in (build._kernel, compiler.target):
        function.cache_clear()
    yield
    for function in (build._kernel, compiler.target):
        function.cache_clear()


def kernel_of(run):
    return run.manifest["versions"].get("kernel")


def test_the_kernel_stands_among_the_versions(tmp_path):
    assert kernel_of(fairbench.run(STUDY, out=tmp_path / "ridge", executor="serial")) is None
    compiled = fairbench.run(networks(), out=tmp_path / "auto", executor="serial")
    assert kernel_of(compiled) == build.describe()
    torch = fairbench.run(networks("torch"), out=tmp_path / "torch", executor="serial")
    assert kernel_of(torch) == "torch"
    one, other = (run.trials().select_dtypes("number") for run in (compiled, torch))
    np.testing.assert_allclose(one, other, rtol=1e-4)


def test_without_a_compiler_torch_trains(tmp_path, no_compiler):
    run = fairbench.run(networks(), out=tmp_path / "run", executor="serial")
    assert kernel_of(run) == "torch"
    assert set(run.trials()["status"]) == {"ok"}
    with pytest.raises(StudyError, match="there is no compiled kernel: CXX names"):
        fairbench.run(networks("compiled"), out=tmp_path / "compiled")
    assert not (tmp_path / "compiled").exists()


def test_a_run_goes_on_with_the_kernel_it_was_begun_with(tmp_path, monkeypatch):
    fairbench.run(networks(), out=tmp_path / "run", executor="serial")
    monkeypatch.setattr("fairbench.kernel.describe", lambda: "g++ 99")
    with pytest.raises(RunFolderError, match="other versions"):
        fairbench.run(networks(), out=tmp_path / "run", executor="serial")


def test_a_worker_without_the_drivers_kernel_trains_nothing(tmp_path, monkeypatch):
    """Here both are this process: whose compiler is gone once the driver has chosen."""

    def choosing(wanted, device):
        monkeypatch.setattr("fairbench.kernel.chosen", build.chosen)
        monkeypatch.setattr(build, "trouble", lambda: "no C++ compiler on the PATH")
        return "compiled"

    monkeypatch.setattr("fairbench.kernel.chosen", choosing)
    run = fairbench.run(networks(), out=tmp_path / "run", executor="serial")
    (reason,) = run.failures()["reason"]
    assert "no C++ compiler on the PATH" in reason


def test_a_folder_that_lost_its_manifest_is_not_taken_for_a_strangers(tmp_path):
    out = tmp_path / "run"
    fairbench.run(STUDY, out=out, executor="serial")
    (out / "manifest.json").unlink()
    with pytest.raises(RunFolderError, match="has lost its manifest") as caught:
        fairbench.run(STUDY, out=out, executor="serial")
    assert "--repair" in caught.value.hint


def test_rows_are_stored_once_and_again_where_neighbours_are_wanted_or_they_are_damaged(tmp_path):
    def stored(metrics=("rmse",)):
        study = STUDY.model_copy(update={"metrics": metrics})
        fairbench.run(study, out=tmp_path, executor="serial")
        return file.stat().st_mtime_ns, file.read_bytes()

    file = tmp_path / "rows/0-synthetic.npz"
    first = stored()
    assert stored() == first
    wanted = ("rmse", "consistency")
    near = stored(wanted)
    assert RunFolder(tmp_path).rows("synthetic").neighbours
    assert stored(wanted) == near
    file.write_bytes(near[1][:-1])
    assert stored(wanted)[1] == near[1]
