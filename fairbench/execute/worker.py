"""The driver's handle on a worker process of the local executor."""

from __future__ import annotations

import json
import pickle
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from multiprocessing.spawn import get_preparation_data
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from fairbench.execute import boot
from fairbench.execute.boot import FAILED, GREETING, HELLO, OUTCOME, READY, Line
from fairbench.execute.job import Job, Outcome, unpacked
from fairbench.execute.pulse import Pulse
from fairbench.execute.retry import Died

__all__ = ["News", "Worker"]

_UNKILLABLE = 5.0
"""Seconds after which a killed process that has not ended is left to the system."""


class Worker:
    """A process of its own with two pipes of its own.

    Workers share nothing, so that the death of one, at any moment, is the end of file of its
    own pipe and nothing else. Two threads read and write the pipes: a worker that is stopped or
    dead, at its start or later, never keeps the driver waiting, which hears all in one queue.

    Attributes
    ----------
    ready
        Whether it has started up and has the data.
    job, deadline
        What it is working on, if anything, and the clock time (monotonic, seconds) at which
        that has to be done.
    born
        The driver's waking time at which it was started, in seconds.
    complaint
        Why it could not start, in the words of `FairbenchError`; empty where it did not say.
    """

    def __init__(self, shared: bytes, news: News, born: float) -> None:
        self.ready, self.born = False, born
        self.job: Job | None = None
        self.deadline = float("inf")
        self.complaint: dict[str, str] = {}
        self._shared, self._news = shared, news
        self._process = subprocess.Popen(  # noqa: S603
            _command(), stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert self._process.stdout is not None
        assert self._process.stdin is not None
        self._line = Line(self._process.stdout, self._process.stdin)  # type: ignore[arg-type]
        self._pulse = Pulse(self._process.pid)
        self._outbox: SimpleQueue[bytes | None] = SimpleQueue()
        self._outbox.put(pickle.dumps(_preparation()))
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._writer = threading.Thread(target=self._write, daemon=True)
        self._reader.start()
        self._writer.start()

    def _read(self) -> None:
        with suppress(EOFError, OSError):
            self._line.find(GREETING)
            while True:
                kind, content = self._line.receive()
                self._pulse.beat()
                if kind != boot.BEAT:
                    self._news.put((self, kind, content))
        self._news.put((self, b"", b""))
        self._line.source.close()

    def _write(self) -> None:
        with suppress(OSError):
            while (content := self._outbox.get()) is not None:
                self._line.send(b"d", content)
        with suppress(OSError):
            self._line.target.close()

    @property
    def idle(self) -> bool:
        """Say whether it waits for a job."""
        return self.ready and self.job is None

    def give(self, job: Job, seconds: float | None, /) -> bool:
        """Send it a job with a time limit; False where it is no longer there to take it."""
        if self._process.poll() is not None:
            return False
        self._outbox.put(pickle.dumps(job, pickle.HIGHEST_PROTOCOL))
        self.job = job
        self.deadline = float("inf") if seconds is None else time.monotonic() + seconds
        return True

    def hear(self, kind: bytes, content: bytes, /) -> Outcome | Died | None:
        """Take in a message; return the outcome of its job, or None where it only started further.

        Raises
        ------
        EOFError
            Where it ended while it had no job.
        """
        if kind == HELLO:
            self._outbox.put(self._shared)
        elif kind == READY:
            self.ready = True
        elif kind == FAILED:
            self.complaint = json.loads(content)
        elif kind == OUTCOME:
            assert self.job is not None
            job, self.job, self.deadline = self.job, None, float("inf")
            return unpacked(content, job)
        elif self.job is None:
            raise EOFError
        else:
            return Died(self.job, self.end())
        return None

    def check(self) -> None:
        """Make its end known where only a process that it started keeps its pipe open."""
        if self._process.poll() is not None:
            self._reader.join(1.0)  # what it had said comes first
            if self._reader.is_alive():
                self._news.put((self, b"", b""))

    def stopped(self, now: float, silence: float, /) -> bool:
        """Say whether it has said and done nothing for so many seconds of the driver's waking."""
        return self._pulse.stopped(now, silence)

    def end(self) -> str:
        """End it, if it has not ended yet, and say how it did."""
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(1.0)  # one that is dying already tells how
        return self.kill()

    def kill(self) -> str:
        """End it at once; it holds nothing that could be lost."""
        self._process.kill()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(_UNKILLABLE)
        self._outbox.put(None)
        for thread in (self._writer, self._reader):
            thread.join(1.0)
        return _ending(self._process.returncode)


News = SimpleQueue[tuple[Worker, bytes, bytes]]
"""Who says something, what kind of thing, and what; no kind where a worker has ended."""


def _command() -> list[str]:
    """An interpreter like this one, which takes no module from the working directory."""
    flags = subprocess._args_from_interpreter_flags()  # type: ignore[attr-defined]
    safe = [] if "-P" in flags else ["-P"]
    return [sys.executable, *flags, *safe, str(Path(boot.__file__))]


def _preparation() -> dict[str, Any]:
    """Search path, folder and script of this process, as multiprocessing's children get them."""
    found = get_preparation_data("fairbench")
    return {**found, "authkey": bytes(found["authkey"])}


def _ending(code: int | None) -> str:
    if code is None:
        return "it could not be ended"
    if code >= 0:
        return f"it ended with exit code {code}"
    name = signal.Signals(-code).name if -code in {*signal.Signals} else f"signal {-code}"
    memory = "; the system kills so when memory runs out" if name == "SIGKILL" else ""
    return f"it was ended by {name}{memory}"
