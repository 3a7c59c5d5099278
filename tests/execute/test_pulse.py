"""Silence alone is no sign of death."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from fairbench.execute import pulse
from fairbench.execute.pulse import LONGEST_STEP, Pulse, Waking

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/stat").exists(), reason="nobody tells how much a process works"
)


@pytest.fixture
def running():
    """Starts a process that runs this code."""
    started = []

    def run(code: str) -> subprocess.Popen[bytes]:
        started.append(subprocess.Popen([sys.executable, "-S", "-c", code]))
        return started[-1]

    yield run
    for process in started:
        process.kill()
        process.wait()


def wait_for_seconds_of_work(pid: int, seconds: float) -> None:
    while (pulse._cpu_seconds(pid) or 0) < seconds:
        time.sleep(0.01)


def test_a_process_that_neither_speaks_nor_works(running):
    process = running("sum(range(3_000_000)); import time; time.sleep(100)")
    wait_for_seconds_of_work(process.pid, 0.02)
    done = -1.0
    while done < (done := pulse._cpu_seconds(process.pid)):  # until it has come to its sleep
        time.sleep(0.2)
    beats = Pulse(process.pid)
    assert not beats.stopped(100.0, 60.0)
    assert not beats.stopped(159.0, 60.0)
    beats.beat()
    assert not beats.stopped(161.0, 60.0)  # it has just spoken
    assert not beats.stopped(220.0, 60.0)
    assert beats.stopped(221.0, 60.0)


def test_a_process_that_works_in_silence(running):
    process = running("while True: pass")
    beats = Pulse(process.pid)
    assert not beats.stopped(0.0, 1.0)
    wait_for_seconds_of_work(process.pid, 0.1)
    assert not beats.stopped(2.0, 1.0)
    assert beats.stopped(1000.0, 1.0)  # far less than a hundredth of a core since


def test_a_process_of_which_nobody_tells(running, monkeypatch):
    monkeypatch.setattr(pulse, "_cpu_seconds", lambda _pid: None)
    beats = Pulse(1)
    assert not beats.stopped(0.0, 1.0)
    assert not beats.stopped(1e6, 1.0)


def test_time_in_which_the_driver_was_stopped_does_not_count(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(pulse.time, "monotonic", lambda: now[0])
    waking = Waking()
    for later, seconds in ((101.0, 1.0), (5000.0, 1.0 + LONGEST_STEP), (5001.0, 2 + LONGEST_STEP)):
        now[0] = later
        assert waking.look() == seconds
    now[0] = 5004.0
    waking.skip()
    assert waking.look() == 2 + LONGEST_STEP
