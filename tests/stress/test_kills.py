"""A run is killed again and again, at random moments, and continued: no trained row is lost."""

from __future__ import annotations

import os
import random
import shutil
import signal
import time
from pathlib import Path

import pytest

from fairbench.store import RunFolder
from tests.execute.commands import contents, flags, starting

pytestmark = pytest.mark.stress

ROUNDS = 12
"""Kills by each signal, at any moment of what a whole run takes on this machine."""


def finished(run: Path) -> dict[str, int]:
    """When each finished chunk of a run was written, by its key."""
    return {path.stem: path.stat().st_mtime_ns for path in run.glob("chunks/*.json")}


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_the_whole_run(number, tmp_path, site):
    """Driver and workers at once, as a batch system or a terminal ends them."""
    arguments = [*flags(3, 4), "--jobs", "2", "--out"]
    run, whole = tmp_path / "run", tmp_path / "whole"
    chance = random.Random(number)
    saved: dict[str, int] = {}
    halfway = 0
    with starting(tmp_path, site) as start:
        began = time.monotonic()
        assert start(*arguments, "whole").wait(timeout=600) == 0
        took = time.monotonic() - began
        chunks = len(finished(whole))
        for kills in range(1, ROUNDS + 1):
            process = start(*arguments, "run")
            time.sleep(chance.uniform(0.2, 1) * took)
            if process.poll() is None:
                os.killpg(process.pid, number)
            process.communicate(timeout=60)
            assert process.returncode in (0, -number, 130)
            assert "Traceback" not in (tmp_path / "stderr").read_text()
            now = finished(run)
            lost = [key for key, at in saved.items() if now.get(key) != at]
            assert not lost, "a finished chunk is gone, or was trained again"
            halfway += 0 < len(now) < chunks
            print(f"{signal.Signals(number).name}: {kills} kills, {len(now)} chunks, none lost")
            saved = now
            if process.returncode == 0:  # once more, from the beginning
                assert contents(run) == contents(whole)
                shutil.rmtree(run)
                saved = {}
        assert start(*arguments, "run").wait(timeout=600) == 0
    assert halfway, "every kill came too early or too late"
    assert contents(run) == contents(whole)
    assert RunFolder(run).read_manifest()["progress"]["chunks_failed"] == 0
