"""A run is killed again and again, at random moments, and continued: no trained row is lost."""

from __future__ import annotations

import os
import random
import signal
import time

import pytest

import fairbench
from fairbench.store import RunFolder
from tests.execute.commands import contents, flags, same_study, starting

pytestmark = pytest.mark.stress

ROUNDS = 25
"""Kills; each run that is killed lives 0.5 to 6 seconds, of which two are imports."""


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_the_whole_run(number, tmp_path, site):
    """Driver and workers at once, as a batch system or a terminal ends them."""
    whole = fairbench.run(same_study(3, 4), out=tmp_path / "whole", executor="serial").path
    arguments = [*flags(3, 4), "--jobs", "2", "--out", "run"]
    chunks = tmp_path / "run/chunks"
    chance = random.Random(number)
    saved: dict[str, int] = {}
    ends: list[int] = []
    with starting(tmp_path, site) as start:
        for _ in range(ROUNDS):
            process = start(*arguments)
            time.sleep(chance.uniform(0.5, 6))
            os.killpg(process.pid, number)
            process.communicate(timeout=60)
            ends.append(process.returncode)
            assert "Traceback" not in (tmp_path / "stderr").read_text()
            now = {p.stem: p.stat().st_mtime_ns for p in chunks.glob("*.json")}
            lost = [key for key, at in saved.items() if now.get(key) != at]
            assert not lost, "a finished chunk is gone, or was trained again"
            saved = now
        assert set(ends) <= {0, -number, 130}
        process = start(*arguments)
        assert process.wait(timeout=250) == 0, (tmp_path / "stderr").read_text()
    assert contents(tmp_path / "run") == contents(whole)
    assert RunFolder(tmp_path / "run").read_manifest()["progress"]["chunks_failed"] == 0
