"""Start-up time of the command line, beyond that of the bare interpreter.

``--help`` must answer within 150 ms more than ``python -c pass`` takes. The least of several
runs counts: everything that adds to it is noise of the machine.
"""

from __future__ import annotations

import subprocess
import sys
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
