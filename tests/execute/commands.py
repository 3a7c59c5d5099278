"""A study for the command line, and what is done to processes that run it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

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


def children() -> list[int]:
    """Processes that this one has started and that have not ended.

    But for Python's own, and the driver of the browser that tests of reports keep for a session.
    """
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            rest = stat.read_text().rsplit(")", 1)[1].split()
            command = (stat.parent / "cmdline").read_bytes()
        except OSError:
            continue
        if (
            not any(name in command for name in (b"resource_tracker", b"chromedriver"))
            and int(rest[1]) == os.getpid()
            and rest[0] not in "ZX"
        ):
            found.append(int(stat.parent.name))
    return found


def workers(group: int) -> list[int]:
    """Worker processes of the local executor in a process group."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if os.getpgid(int(folder.name)) == group:
                command = (folder / "cmdline").read_bytes()
                found += [int(folder.name)] if b"execute/boot.py" in command else []
        except OSError:
            continue
    return found


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


@contextmanager
def starting(folder: Path, site: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start `fairbench run` in `folder`, in a process group of its own; end what is left of it.

    Standard error goes to the file ``stderr`` of that folder.
    """
    started: list[subprocess.Popen[str]] = []

    def run(*arguments: str, **env: str) -> subprocess.Popen[str]:
        with (folder / "stderr").open("w") as stderr:
            process = subprocess.Popen(
                [*COMMAND, *arguments],
                cwd=folder,
                env={**os.environ, "PYTHONPATH": str(site), **env},
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
