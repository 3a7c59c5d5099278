"""Tell whether a worker that says nothing still works."""

from __future__ import annotations

import os
import time
from pathlib import Path

__all__ = ["Pulse", "Waking"]

IDLE = 0.01
"""Share of a core below which a silent process counts as doing nothing.

A thread that waits for Python's lock asks for it every 5 ms, which takes a thousandth of a core.
"""

LONGEST_STEP = 5.0
"""Seconds between two looks at the clock beyond which this process must have been stopped."""


class Waking:
    """Seconds that this process was awake: without those it was stopped or its machine slept."""

    def __init__(self) -> None:
        self.seconds, self._last = 0.0, time.monotonic()

    def skip(self) -> None:
        """Leave out the time since the last look, in which nobody listened."""
        self._last = time.monotonic()

    def look(self) -> float:
        """The seconds until now."""
        now = time.monotonic()
        self.seconds += min(now - self._last, LONGEST_STEP)
        self._last = now
        return self.seconds


class Pulse:
    """Signs of life of one process.

    A worker that trains in C code may hold Python's lock for long, so that its thread cannot
    speak. Hence silence alone is no sign of death: the process must also have used no time of
    any core. Where that cannot be asked (outside Linux), silence counts for nothing.
    """

    def __init__(self, pid: int, /) -> None:
        self._pid = pid
        self._beats, self._seen = 0, -1
        self._since, self._used = 0.0, _cpu_seconds(pid)

    def beat(self) -> None:
        """It has said something; called from any thread."""
        self._beats += 1

    def stopped(self, now: float, silence: float, /) -> bool:
        """Say whether it was silent and idle for `silence` seconds, at the waking time `now`."""
        if self._beats == self._seen:
            waited = now - self._since
            if waited < silence:
                return False
            used = _cpu_seconds(self._pid)
            if used is not None and self._used is not None and used - self._used < IDLE * waited:
                return True
        self._seen, self._since, self._used = self._beats, now, _cpu_seconds(self._pid)
        return False


def _cpu_seconds(pid: int) -> float | None:
    """Seconds of processors that all threads of a process have used; None where nobody tells."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, IndexError):
        return None
