"""Ctrl-C: never lost, and never in the middle of something that has to be whole.

Python raises KeyboardInterrupt wherever the main thread happens to be. Raised inside a callback
of the garbage collector it is printed and forgotten, and raised inside an import or a start of a
process it leaves half of that behind. So a run takes the signal over (`heeded`), shields what
must not be torn (`held`), and asks now and then whether one was lost (`check_interrupt`).
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

__all__ = ["PATIENCE", "check_interrupt", "heeded", "held", "starting"]

PATIENCE = 1.0
"""Seconds after which whoever waits for other processes should `check_interrupt` again."""


@dataclass
class _Interrupt:
    """The state of Ctrl-C in this process; signals reach its main thread only."""

    holds: int = 0
    came: bool = False

    def handle(self, number: int, frame: FrameType | None, /) -> None:
        again, self.came = self.came, True
        if again or not self.holds:
            raise KeyboardInterrupt


_interrupt = _Interrupt()


@contextmanager
def heeded() -> Iterator[None]:
    """Take Ctrl-C over until the block ends; only the main thread can."""
    usual = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if not usual or threading.current_thread() is not threading.main_thread():
        yield
        return
    _interrupt.came = False
    signal.signal(signal.SIGINT, _interrupt.handle)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        _interrupt.came = False


def check_interrupt() -> None:
    """Raise KeyboardInterrupt if Ctrl-C came and the work still goes on as if it had not."""
    if _interrupt.came:
        raise KeyboardInterrupt


@contextmanager
def held() -> Iterator[None]:
    """Let Ctrl-C wait until the block ends; a second one no longer does."""
    came = _interrupt.came
    _interrupt.holds += 1
    try:
        yield
    finally:
        _interrupt.holds -= 1
    if not came and not _interrupt.holds:
        check_interrupt()


@contextmanager
def starting() -> Iterator[None]:
    """Let Ctrl-C wait, and keep it from all processes and threads that are started within.

    A terminal sends SIGINT to workers too. A blocked signal is inherited by processes and
    threads, while a handler of their own would be set too late for one that comes during start-up.
    """
    with held():
        if not hasattr(signal, "pthread_sigmask"):  # Windows
            yield
            return
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            yield
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
