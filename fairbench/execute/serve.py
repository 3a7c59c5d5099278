"""The side of a worker process that trains."""

from __future__ import annotations

import os
import pickle
import threading
from queue import SimpleQueue
from typing import Protocol

from fairbench.execute.job import Job, Shared, carry_out, packed

__all__ = ["serve"]


class Line(Protocol):
    """The worker's end of the talk: see `fairbench.execute.boot`, which opens it.

    It is given, not imported: boot runs before fairbench can be found, and imports this module.
    """

    def hello(self) -> None: ...
    def ready(self) -> None: ...
    def failed(self, error: BaseException, /) -> None: ...
    def outcome(self, content: bytes, /) -> None: ...
    def receive(self) -> tuple[bytes, bytes]: ...


def serve(line: Line, /) -> None:
    """Ask the driver for the data, then train what it sends, until it is gone.

    Raises
    ------
    OSError
        Where it is gone.
    """
    messages: SimpleQueue[bytes] = SimpleQueue()
    threading.Thread(target=_listen, args=(line, messages), daemon=True).start()
    line.hello()
    try:
        shared: Shared = pickle.loads(messages.get())  # noqa: S301  # from our driver
    except Exception as error:  # such as a class that only the driver can find
        line.failed(error)
        return
    line.ready()
    while True:
        job: Job = pickle.loads(messages.get())  # noqa: S301
        line.outcome(packed(carry_out(shared, job)))


def _listen(line: Line, messages: SimpleQueue[bytes]) -> None:
    """Take messages in, and end this process with the driver, whatever is being trained."""
    try:
        while True:
            messages.put(line.receive()[1])
    except (EOFError, OSError):
        os._exit(1)
