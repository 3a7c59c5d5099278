"""A worker process of the local executor: the side that trains, and the driver's handle on it."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import threading
import time
from contextlib import suppress
from multiprocessing.connection import Connection

from fairbench.execute.job import Job, Outcome, Shared, carry_out, packed, unpacked
from fairbench.execute.retry import Died
from fairbench.execute.threads import limit_threads

__all__ = ["Worker"]

_READY = b""
"""What a worker says once it has imported what it needs."""


def serve(driver: Connection, shared: bytes) -> None:
    """Train what `driver` sends, until it closes its end or is gone. Runs in the worker."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the driver's to handle
    threading.Thread(target=_end_with_driver, daemon=True).start()
    limit_threads()
    everything: Shared = pickle.loads(shared)  # noqa: S301  # from the process that started us
    with suppress(EOFError, OSError):
        driver.send_bytes(_READY)
        while True:
            job: Job = driver.recv()
            driver.send_bytes(packed(carry_out(everything, job)))


def _end_with_driver() -> None:
    """End this process when the driver has been killed, whatever is being trained."""
    driver = multiprocessing.parent_process()
    assert driver is not None
    driver.join()
    os._exit(1)


class Worker:
    """The driver's handle: a process of its own with a pipe of its own.

    Workers share nothing, neither pipe nor lock, so that the death of one, at any moment, is
    the end of file of its own pipe and nothing else.

    Attributes
    ----------
    ready
        Whether it has started up.
    job, deadline
        What it is working on, if anything, and the clock time (monotonic, seconds) at which
        that has to be done.
    connection
        The driver's end of the pipe.
    """

    def __init__(self, shared: bytes) -> None:
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        self._process = context.Process(target=serve, args=(theirs, shared), name="fairbench")
        self._process.start()
        theirs.close()
        self.ready = False
        self.job: Job | None = None
        self.deadline = float("inf")

    @property
    def idle(self) -> bool:
        """Whether it waits for a job."""
        return self.ready and self.job is None

    def give(self, job: Job, seconds: float | None, /) -> bool:
        """Send it a job with a time limit; False where it is no longer there to take it."""
        try:
            self.connection.send(job)
        except OSError:
            return False
        self.job = job
        self.deadline = float("inf") if seconds is None else time.monotonic() + seconds
        return True

    def hear(self) -> Outcome | Died | None:
        """What it has to say: an outcome, or None where it has just become ready.

        Raises
        ------
        EOFError
            Where it ended while it had no job.
        """
        try:
            message = self.connection.recv_bytes()
        except (EOFError, OSError) as error:
            if self.job is None:
                raise EOFError from error
            return Died(self.job, self.end())
        if message == _READY:
            self.ready = True
            return None
        assert self.job is not None
        job, self.job, self.deadline = self.job, None, float("inf")
        return unpacked(message, job)

    def end(self) -> str:
        """End it, if it has not ended yet, and say how it did."""
        self.connection.close()
        self._process.join(1.0)  # one that is dying already tells how
        return self.kill()

    def kill(self) -> str:
        """End it at once; it holds nothing that could be lost."""
        self.connection.close()
        self._process.kill()
        self._process.join()
        return _ending(self._process.exitcode or 0)


def _ending(code: int) -> str:
    if code >= 0:
        return f"it ended with exit code {code}"
    name = signal.Signals(-code).name if -code in {*signal.Signals} else f"signal {-code}"
    memory = "; the system kills so when memory runs out" if name == "SIGKILL" else ""
    return f"it was ended by {name}{memory}"
