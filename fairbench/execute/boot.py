"""The first code of a worker process of the local executor, and how driver and worker talk.

The driver runs this file by its path, with an interpreter that looks for modules neither in the
working directory nor beside the script (``-P``): until the driver's own search path has arrived,
nothing but the standard library is imported, and it is the real one. Whatever then fails, in
fairbench's imports or in those of the script that called it, is told to the driver in words.
"""

from __future__ import annotations

import json
import os
import pickle
import signal
import sys
import threading
from multiprocessing import current_process
from multiprocessing.spawn import prepare
from pathlib import Path
from traceback import extract_tb
from typing import Any, BinaryIO

__all__ = [
    "BEAT",
    "FAILED",
    "GREETING",
    "HELLO",
    "OUTCOME",
    "PULSE",
    "READY",
    "Line",
    "start",
]

GREETING = b"\x00fairbench worker\x00"
"""What begins the talk: an interpreter's start-up files may have printed something before."""

PULSE = 5.0
"""Seconds between two signs of life of a worker."""

HELLO, READY, OUTCOME, FAILED, BEAT = b"h", b"r", b"o", b"f", b"b"
"""What a worker says: it has imported everything and wants the data; it has them; what came of a
chunk; why it cannot start; that it lives."""


class Line:
    """Messages over a pair of pipes, each with one byte that says what it is."""

    def __init__(self, source: BinaryIO, target: BinaryIO) -> None:
        self.source, self.target = source, target
        self._lock = threading.Lock()

    def send(self, kind: bytes, content: bytes = b"", /) -> None:
        """Send one message, whole; blocks while the other side does not read."""
        with self._lock:
            self.target.write(kind + len(content).to_bytes(8, "little"))
            self.target.write(content)
            self.target.flush()

    def receive(self) -> tuple[bytes, bytes]:
        """Wait for one message.

        Raises
        ------
        EOFError
            Where the other side has ended.
        """
        head = self._read(9)
        return head[:1], self._read(int.from_bytes(head[1:], "little"))

    def hello(self) -> None:
        """Tell the driver that everything is imported and the data are wanted."""
        self.send(HELLO)

    def ready(self) -> None:
        """Tell the driver that the data have arrived."""
        self.send(READY)

    def failed(self, error: BaseException, /) -> None:
        """Tell the driver why this worker cannot start."""
        self.send(FAILED, _complaint(error))

    def outcome(self, content: bytes, /) -> None:
        """Tell the driver what came of a chunk."""
        self.send(OUTCOME, content)

    def find(self, greeting: bytes, /) -> None:
        """Skip everything before the other side's greeting, and that."""
        read = b""
        while not read.endswith(greeting):
            read += self._read(1)

    def _read(self, size: int) -> bytes:
        read = self.source.read(size)
        if len(read) < size:
            raise EOFError
        return read


def start() -> None:
    """Get ready to serve the driver at the other end of standard input and output."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the driver's to handle
    line = _line()
    try:
        line.target.write(GREETING)
        _, told = line.receive()
        threading.Thread(target=_beat, args=(line,), daemon=True).start()
        try:
            serve = _prepared(pickle.loads(told))  # noqa: S301  # from the process that started us
        except BaseException as error:
            line.failed(error)
            os._exit(1)
        serve(line)
    except (OSError, EOFError):
        os._exit(1)  # the driver is gone


def _line() -> Line:
    """The two pipes, out of reach of whatever reads standard input or prints."""
    line = Line(os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb"))
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    try:
        os.dup2(2, 1)
    except OSError:  # there is no standard error either
        os.dup2(nothing, 1)
    return line


def _beat(line: Line) -> None:
    never = threading.Event()
    try:
        while not never.wait(PULSE):
            line.send(BEAT)
    except OSError:  # the driver is gone
        os._exit(1)


def _prepared(driver: dict[str, Any]) -> Any:
    """Take over the driver's search path, folder and script; `serve`, imported only then."""
    process = current_process()
    process._inheriting = True  # type: ignore[attr-defined]  # as multiprocessing marks it
    try:
        prepare(driver)
    finally:
        del process._inheriting  # type: ignore[attr-defined]
    from fairbench.execute.serve import serve
    from fairbench.execute.threads import limit_threads

    limit_threads()
    return serve


def _complaint(error: BaseException) -> bytes:
    """Return as JSON what was raised, where, and how to mend it."""
    what, where = f"{type(error).__name__}: {error}", ""
    if places := extract_tb(error.__traceback__):
        own = str(Path(__file__).parent)
        last = next((p for p in reversed(places) if not p.filename.startswith(own)), places[-1])
        where = f"{last.filename}, line {last.lineno}"
    told = {
        "what": getattr(error, "what", what),
        "where": getattr(error, "where", "") or where,
        "hint": getattr(error, "hint", ""),
    }
    return json.dumps(told).encode()


if __name__ == "__main__":
    start()
    sys.exit(1)
