"""Workers are struck again and again, at random moments of their lives; the driver goes on."""

from __future__ import annotations

import os
import random
import shutil
import signal
import time

import pytest

import fairbench
from tests.execute.commands import contents, flags, same_study, starting, workers

pytestmark = pytest.mark.stress

STRIKES = 20
"""Signals sent to workers, by every kind of signal."""

EAGER = ["silence_seconds=2", "start_seconds=30"]
"""How soon workers that are stopped are given up here."""


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGSTOP, signal.SIGINT])
def test_one_worker_after_the_other(number, tmp_path, site, record_property):
    """A chunk loses its worker once or twice; none is lost, and no byte differs."""
    whole = fairbench.run(same_study(20, 4), out=tmp_path / "whole", executor="serial").path
    arguments = [*flags(20, 4), "--executor", "local", "--jobs", "2", "--out", "run"]
    arguments += [word for limit in EAGER for word in ("--set", f"executor.{limit}")]
    chance = random.Random(number)
    struck = runs = 0
    with starting(tmp_path, site) as start:
        while struck < STRIKES:
            shutil.rmtree(tmp_path / "run", ignore_errors=True)
            process = start(*arguments)
            while process.poll() is None:
                time.sleep(chance.uniform(0, 2))
                if (alive := workers(process.pid)) and struck < STRIKES:
                    os.kill(chance.choice(alive), number)
                    struck += 1
            said = (tmp_path / "stderr").read_text()
            assert process.returncode in (0, 1, 2), said
            assert "Traceback" not in said
            if process.returncode:  # a chunk that was struck twice, or three starts in a row
                assert start(*arguments).wait(timeout=250) == 0
            assert contents(tmp_path / "run") == contents(whole)
            runs += 1
    record_property("strikes", struck)
    record_property("runs", runs)
