"""Whole runs as tables grow: seconds and memory a row, as ratios within one run.

``pytest benchmarks/test_tables.py -p no:xdist -s`` prints both; ``FAIRBENCH_BENCH_ROWS=1700000``
(the size of ACS income) or ``10000000`` measures larger tables than the default.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from functools import cache
from pathlib import Path

import numpy as np
import pytest

SMALL = 20_000
LARGE = int(os.environ.get("FAIRBENCH_BENCH_ROWS", "200000"))
COLUMNS = 10
FLAGS = (
    *("-m", "ridge", "--no-baseline", "--target", "y", "--protected", "group", "--seeds", "2"),
    *("--metric", "rmse", "--metric", "rmse-disparity", "--jobs", "1", "--executor", "serial"),
)
CHILD = (
    "import resource, sys; from fairbench.cli import main\ntry: main(sys.argv[1:])\nfinally: "
    + ("print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, file=open('peak', 'w'))")
)


def write(path: Path, rows: int) -> None:
    """A CSV file of `rows` rows and `COLUMNS` columns, a block at a time."""
    rng = np.random.default_rng(0)
    names = [*(f"x{k}" for k in range(COLUMNS - 3)), "job", "group", "y"]
    with path.open("w") as file:
        file.write(",".join(names) + "\n")
        for start in range(0, rows, 100_000):
            count = min(100_000, rows - start)
            x = rng.normal(size=(count, COLUMNS - 3))
            y = x[:, 0] + rng.normal(size=count)
            job, group = rng.integers(0, 4, count), rng.integers(0, 3, count)
            for numbers, j, g, target in zip(x, job, group, y, strict=True):
                cells = [*(f"{number:.4f}" for number in numbers), "abcd"[j], "rst"[g]]
                file.write(",".join([*cells, f"{target:.4f}"]) + "\n")


@cache
def measured(folder: Path, rows: int) -> tuple[float, float]:
    """Seconds, and MiB at the peak, of a run on a table of so many rows."""
    place = folder / str(rows)
    place.mkdir()
    write(place / "table.csv", rows)
    began = time.perf_counter()
    command = [sys.executable, "-c", CHILD, "run", "-d", "table.csv", *FLAGS, "--out", "run"]
    subprocess.run(command, cwd=place, check=True, capture_output=True)
    taken = time.perf_counter() - began
    peak = int((place / "peak").read_text()) / 1024
    print(f"\n{rows:,} rows × {COLUMNS} columns: {taken:.1f} s, {peak:,.0f} MiB at the peak")
    return taken, peak


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("tables")


@pytest.mark.timeout(3600)
def test_memory_grows_with_the_rows_and_no_faster(folder):
    """What a row takes beyond the first: at most 25 numbers for each of its columns."""
    _, small = measured(folder, SMALL)
    _, large = measured(folder, LARGE)
    assert (large - small) * 2**20 / (LARGE - SMALL) < 8 * 25 * COLUMNS


@pytest.mark.timeout(3600)
def test_time_grows_with_the_rows_and_no_faster(folder):
    small, _ = measured(folder, SMALL)
    large, _ = measured(folder, LARGE)
    assert large / small < 1.5 * LARGE / SMALL
