"""What a whole run takes beside its training, and what it takes again with nothing to train.

The study is the one of the README: a sweep on `parkinson` with its baseline, 510 trials on two
cores. All that is not training (reading, planning, starting workers, metrics, conclusions and
the report) is held as a ratio to the training itself, whose seconds the manifest tells.
"""

from __future__ import annotations

import json
import subprocess
import sys
from time import perf_counter

import pytest

STUDY = ("run", "--method", "static-alpha", "--dataset", "parkinson", "--jobs", "2")


def seconds(*arguments: str) -> float:
    begin = perf_counter()
    subprocess.run(
        [sys.executable, "-m", "fairbench.cli", *arguments],
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    return perf_counter() - begin


@pytest.mark.timeout(1800)
def test_a_whole_run_against_its_training(benchmark, tmp_path):
    """The main job, the same command again, and its report as another document."""
    folder = str(tmp_path / "run")
    command = (*STUDY, "--out", folder)
    benchmark.pedantic(seconds, args=command, rounds=1)
    progress = json.loads((tmp_path / "run/manifest.json").read_text())["progress"]
    training = progress["train_seconds"] / progress["jobs"]
    again = min(seconds(*command) for _ in range(3))
    report = min(seconds("report", folder, "--format", "json") for _ in range(3))
    whole = benchmark.stats.stats.min
    benchmark.extra_info |= {
        "seconds_training": training,
        "seconds_outside_training": whole - training,
        "times_training": whole / training,
        "times_training_again": again / training,
        "times_training_report": report / training,
    }
    assert progress["trials_done"] == 510
    assert again < whole
    assert report < again
