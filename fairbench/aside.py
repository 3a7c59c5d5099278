"""Standard output belongs to the document that a command writes; strangers print elsewhere."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

__all__ = ["aside"]


@dataclass
class _Aside:
    """How many blocks are open in this process, and the real standard output meanwhile.

    Blocks of several threads may overlap: the first to enter sends it aside, the last to leave
    brings it back.
    """

    depth: int = 0
    output: int | None = None
    stdout: Any = None
    lock: threading.Lock = field(default_factory=threading.Lock)


_aside = _Aside()


@contextmanager
def aside() -> Iterator[None]:
    """Send to standard error whatever is printed within: by Python, by C code, by a child."""
    _enter()
    try:
        yield
    finally:
        _leave()


def _enter() -> None:
    with _aside.lock:
        if _aside.depth == 0:
            with suppress(OSError, ValueError, AttributeError):
                sys.stdout.flush()  # what the command itself has said so far
            with suppress(OSError):  # one of the two may be closed
                output = os.dup(1)
                try:
                    os.dup2(2, 1)
                except OSError:
                    os.close(output)
                    raise
                _aside.output = output
            _aside.stdout, sys.stdout = sys.stdout, sys.stderr
        _aside.depth += 1


def _leave() -> None:
    with _aside.lock:
        _aside.depth -= 1
        if _aside.depth == 0:
            sys.stdout = _aside.stdout
        if _aside.depth == 0 and _aside.output is not None:
            _flush_c()
            os.dup2(_aside.output, 1)
            os.close(_aside.output)
            _aside.output = None


def _flush_c() -> None:
    """Let go of what C code has printed so far, which would otherwise follow at the end."""
    if sys.platform == "win32":
        return
    import ctypes

    ctypes.CDLL(None).fflush(None)
