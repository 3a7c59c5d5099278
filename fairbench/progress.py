"""Who follows a run: what is told before, during and after training."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from pathlib import Path

    from fairbench.execute import Outcome
    from fairbench.study import Plan

__all__ = ["Interrupted", "Progress", "Quiet"]


class Progress(Protocol):
    """Follows a run."""

    def entered(self, phase: str, /) -> None:
        """Before anything but training that may take long: what it is, in words."""

    def started(
        self, plan: Plan, folder: Path, done: int, total: int, seconds: float | None, /
    ) -> None:
        """Before training: how many of all trials are on disk already.

        `seconds` is about how long the others will take, or None where that is not worth knowing.
        """

    def noted(self, note: str, /) -> None:
        """Before training: what the user should know of this study."""

    def finished(self, outcome: Outcome, /) -> None:
        """After a chunk was trained, or failed."""

    def stopped(self) -> None:
        """At the end of all that, however it came."""


class Quiet:
    """Says nothing."""

    def entered(self, phase: str, /) -> None: ...

    def started(
        self, plan: Plan, folder: Path, done: int, total: int, seconds: float | None, /
    ) -> None: ...

    def noted(self, note: str, /) -> None: ...

    def finished(self, outcome: Outcome, /) -> None: ...

    def stopped(self) -> None: ...


class Interrupted(KeyboardInterrupt):
    """Ctrl-C during a run whose finished chunks are safe in `folder`."""

    def __init__(self, folder: Path, done: int, total: int, /) -> None:
        super().__init__(f"{done} of {total} trials are saved in {folder}")
        self.folder, self.done, self.total = folder, done, total
