"""The side of a worker process that trains."""

from __future__ import annotations

import os
import pickle
import threading
from queue import SimpleQueue

from fairbench.execute.boot import FAILED, HELLO, OUTCOME, READY, Line, complaint
from fairbench.execute.job import Job, Shared, carry_out, packed

__all__ = ["serve"]


def serve(line: Line, /) -> None:
    """Ask the driver for the data, then train what it sends, until it is gone.

    Raises
    ------
    OSError
        Where it is gone.
    """
    messages: SimpleQueue[bytes] = SimpleQueue()
    threading.Thread(target=_listen, args=(line, messages), daemon=True).start()
    line.send(HELLO)
    try:
        shared: Shared = pickle.loads(messages.get())  # noqa: S301  # from our driver
    except Exception as error:  # such as a class that only the driver can find
        line.send(FAILED, complaint(error))
        return
    line.send(READY)
    while True:
        job: Job = pickle.loads(messages.get())  # noqa: S301
        line.send(OUTCOME, packed(carry_out(shared, job)))


def _listen(line: Line, messages: SimpleQueue[bytes]) -> None:
    """Take messages in, and end this process with the driver, whatever is being trained."""
    try:
        while True:
            messages.put(line.receive()[1])
    except (EOFError, OSError):
        os._exit(1)
