"""Start-up time of the command line, beyond that of the bare interpreter, and of a small run.

``--help`` must answer within 150 ms more than ``python -c pass`` takes. The least of several
runs counts: everything that adds to it is noise of the machine.
"""

from __future__ import annotations

import json
import subprocess
import sys
from itertools import count
from time import perf_counter

import pytest

RUNS = 12
ALLOWED = 0.150
"""Seconds that ``fairbench --help`` may take beyond the interpreter's own start."""

BARE = ("-c", "pass")


def seconds(*arguments: str) -> float:
    begin = perf_counter()
    subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)
    return perf_counter() - begin


def fastest(*arguments: str) -> float:
    return min(seconds(*arguments) for _ in range(RUNS))


@pytest.mark.parametrize("verb", ["--help", "list"])
def test_startup(benchmark, verb):
    command = ("-m", "fairbench.cli", verb)
    bare = fastest(*BARE)
    benchmark.pedantic(seconds, args=command, rounds=RUNS, warmup_rounds=1)
    extra = benchmark.stats.stats.min - bare
    benchmark.extra_info |= {"bare_seconds": bare, "extra_seconds": extra}
    if verb == "--help":
        assert extra < ALLOWED, f"{1000 * extra:.0f} ms beyond the interpreter's start"


def test_a_small_run_cold(benchmark, tmp_path):
    """A whole `fairbench run` of one trial: what it takes beside training, and torch's share."""
    numbers = count()

    def run() -> None:
        out = str(tmp_path / f"run{next(numbers)}")
        seconds(
            *("-m", "fairbench.cli", "run", "-m", "static-alpha", "-d", "synthetic", "--out", out),
            *("--no-baseline", "--seeds", "1", "--tradeoff", "1.0", "--epochs", "1"),
        )

    benchmark.pedantic(run, rounds=5, warmup_rounds=1)
    whole = benchmark.stats.stats.min
    torch = min(seconds("-c", "import torch") for _ in range(5))
    progress = json.loads((tmp_path / "run1/manifest.json").read_text())["progress"]
    outside = whole - progress["train_seconds"]
    benchmark.extra_info |= {
        "seconds_outside_training": outside,
        "seconds_import_torch": torch,
        "times_import_torch": outside / torch,
    }
    assert progress["trials_done"] == 1
    assert outside < 6 * torch
