"""Ctrl-C and kill -9 of `fairbench run`, as a terminal, a scheduler or an accident sends them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import fairbench
from fairbench.store import RunFolder
from fairbench.study import Study

METHODS = ("single-task", "static-alpha", "ridge", "dynamic-reweighting")
GRID = ("static-alpha=1,2.5,4", "dynamic-reweighting=0.01,0.1")
DROPOUT = "static-alpha.architecture.dropout=0.2"
COMMAND = [sys.executable, "-m", "fairbench.cli", "run"]


def flags(epochs: int, seeds: int) -> list[str]:
    """A study whose networks have dropout: flags for `fairbench run`."""
    methods = [word for name in METHODS for word in ("--method", name)]
    grids = [word for grid in GRID for word in ("--tradeoff", grid)]
    metrics = ["--metric", "rmse", "--metric", "rmse-disparity"]
    size = ["--epochs", str(epochs), "--seeds", str(seeds)]
    return [*methods, *grids, *metrics, *size, "--dataset", "synthetic", "--set", DROPOUT]


def same_study(epochs: int, seeds: int) -> Study:
    """What `flags` asks for."""
    options = {"static-alpha": {"architecture": {"dropout": 0.2}}}
    grids = dict(grid.split("=") for grid in GRID)
    methods = [
        {"name": name, "tradeoff": grids.get(name), "options": options.get(name, {})}
        for name in METHODS
    ]
    return Study(
        methods=methods,
        datasets=["synthetic"],
        metrics=["rmse", "rmse-disparity"],
        training={"epochs": epochs},
        seeds=seeds,
    )


def contents(folder: Path) -> dict[str, bytes]:
    """Every chunk's arrays and every table of a run."""
    files = [*folder.glob("chunks/*.npz"), *folder.glob("*.parquet")]
    assert len(files) > 4
    return {file.name: file.read_bytes() for file in files}


def wait_for(happened, seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < end, "it never happened"
        time.sleep(0.02)


def alive(group: int) -> list[str]:
    """Processes of a process group that have not ended."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            name, rest = stat.read_text().rsplit(")", 1)
        except OSError:
            continue
        state, _, process_group = rest.split()[:3]
        if int(process_group) == group and state not in "ZX":
            found.append(name)
    return found


def hear_interrupts() -> None:
    """Undo what a shell does to commands in the background, which inherit SIGINT as ignored."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.fixture
def start(tmp_path, site):
    """Starts `fairbench run` in a process group of its own; ends what is left of it."""
    started: list[subprocess.Popen[str]] = []

    def run(*arguments: str) -> subprocess.Popen[str]:
        env = {**os.environ, "PYTHONPATH": str(site)}
        with (tmp_path / "stderr").open("w") as stderr:
            process = subprocess.Popen(
                [*COMMAND, *arguments],
                cwd=tmp_path,
                env=env,
                stdout=subprocess.PIPE,
                stderr=stderr,
                text=True,
                start_new_session=True,
                preexec_fn=hear_interrupts,
            )
        started.append(process)
        return process

    yield run
    for process in started:
        for _ in alive(process.pid):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


SLEEPY = """
datasets = ["synthetic"]
seeds = 1
methods = [{name = "trouble", label = "quick"}, {name = "trouble", options = {act = "sleep"}}]
"""


@pytest.fixture
def sleepy(tmp_path) -> list[str]:
    """Flags of a study with one chunk that finishes at once and one that takes ten minutes."""
    (tmp_path / "study.toml").write_text(SLEEPY)
    return ["--config", "study.toml", "--no-baseline", "--out", "run", "--jobs", "2"]


def one_chunk_is_saved(tmp_path: Path):
    return lambda: list((tmp_path / "run/chunks").glob("*.json"))


@pytest.mark.parametrize(
    ("executor", "to"), [("local", "group"), ("local", "driver"), ("dask", "group")]
)
def test_ctrl_c(executor, to, start, sleepy, tmp_path):
    process = start(*sleepy, "--executor", executor)
    wait_for(one_chunk_is_saved(tmp_path))
    assert len(alive(process.pid)) > 1
    begin = time.monotonic()
    {"group": os.killpg, "driver": os.kill}[to](process.pid, signal.SIGINT)
    out, _ = process.communicate(timeout=60)
    assert time.monotonic() - begin < 20
    assert process.returncode == 130
    wait_for(lambda: not alive(process.pid), 20)
    said = (tmp_path / "stderr").read_text()
    assert out == ""
    assert "Stopped: 1 of 2 trials are saved in run\nRun the same command again" in said
    assert "Traceback" not in said
    manifest = RunFolder(tmp_path / "run").read_manifest()
    assert manifest["progress"]["chunks_done"] == 1


@pytest.mark.parametrize("executor", ["local", "dask"])
def test_workers_end_with_a_driver_that_is_killed(executor, start, sleepy, tmp_path):
    process = start(*sleepy, "--executor", executor)
    wait_for(one_chunk_is_saved(tmp_path))
    assert len(alive(process.pid)) > 1
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    wait_for(lambda: not alive(process.pid), 30)


def test_a_second_driver_is_refused(start, sleepy, tmp_path):
    process = start(*sleepy)
    wait_for(one_chunk_is_saved(tmp_path))
    done = subprocess.run(
        [*COMMAND, *sleepy], cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(tmp_path / "site")},
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (2, "")
    assert "another fairbench is writing this run folder" in done.stderr
    assert "Traceback" not in done.stderr
    assert process.poll() is None


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Path:
    """The folder of a run in this process that nothing interrupted."""
    folder = tmp_path_factory.mktemp("whole")
    run = fairbench.run(same_study(epochs=3, seeds=2), out=folder, executor="serial")
    assert run.manifest["progress"]["chunks_done"] == 8
    return folder


def test_kill_and_rerun_give_the_tables_of_an_uninterrupted_run(start, whole, tmp_path):
    arguments = [*flags(epochs=3, seeds=2), "--jobs", "2", "--out", "run"]
    process = start(*arguments)
    wait_for(one_chunk_is_saved(tmp_path))
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    saved = {p.name: p.stat().st_mtime_ns for p in (tmp_path / "run/chunks").glob("*.npz")}
    assert 0 < len(saved) < 8
    assert not (tmp_path / "run/trials.parquet").exists()

    process = start(*arguments)
    assert process.wait(timeout=250) == 0, (tmp_path / "stderr").read_text()
    assert contents(tmp_path / "run") == contents(whole)
    kept = [n for n, at in saved.items() if (tmp_path / "run/chunks" / n).stat().st_mtime_ns == at]
    assert kept  # what was finished before the kill was not trained again
    ours, theirs = (RunFolder(folder).manifest for folder in (tmp_path / "run", whole))
    for name in ("model_steps", "trials_done", "chunks_done"):
        assert ours["progress"][name] == theirs["progress"][name]


@pytest.mark.parametrize(("executor", "jobs"), [("local", 1), ("local", 2), ("dask", 2)])
def test_every_executor_gives_the_same_bytes(executor, jobs, whole, tmp_path):
    study = same_study(epochs=3, seeds=2)
    run = fairbench.run(study, out=tmp_path / "run", executor=executor, jobs=jobs)
    assert contents(run.path) == contents(whole)
    assert run.manifest["progress"]["jobs"] == jobs
