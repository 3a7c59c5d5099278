"""Ctrl-C and kill -9 of `fairbench run`, as a terminal, a scheduler or an accident sends them."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

import fairbench
from fairbench.store import RunFolder
from tests.execute.commands import (
    COMMAND,
    alive,
    contents,
    flags,
    same_study,
    starting,
    wait_for,
)


@pytest.fixture
def start(tmp_path, site):
    """Starts `fairbench run` in a process group of its own; ends what is left of it."""
    with starting(tmp_path, site) as run:
        yield run


SLEEPY = """
datasets = ["synthetic"]
seeds = 1
methods = [{name = "trouble", label = "quick"}, {name = "trouble", options = {act = "sleep"}}]
"""


@pytest.fixture
def sleepy(tmp_path) -> list[str]:
    """Flags of a study whose first chunk finishes at once, and whose second takes ten minutes."""
    (tmp_path / "study.toml").write_text(SLEEPY)
    return ["--config", "study.toml", "--no-baseline", "--out", "run", "--metric", "rmse"]


def one_chunk_is_saved(tmp_path: Path):
    return lambda: list((tmp_path / "run/chunks").glob("*.json"))


@pytest.mark.parametrize(
    ("executor", "jobs", "to"),
    [("local", "2", "group"), ("local", "1", "driver"), ("dask", "1", "group")],
)
def test_ctrl_c(executor, jobs, to, start, sleepy, tmp_path):
    process = start(*sleepy, "--executor", executor, "--jobs", jobs)
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
    process = start(*sleepy, "--executor", executor, "--jobs", "1")
    wait_for(one_chunk_is_saved(tmp_path))
    assert len(alive(process.pid)) > 1
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    wait_for(lambda: not alive(process.pid), 30)


def test_a_second_driver_is_refused(start, sleepy, tmp_path):
    process = start(*sleepy, "--jobs", "1")
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
