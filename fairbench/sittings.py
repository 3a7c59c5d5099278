"""The sittings of a run: who trained what of it, when, where and how that ended."""

from __future__ import annotations

import platform
import time
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from fairbench.errors import first_line

if TYPE_CHECKING:
    from fairbench.study import Chunk

__all__ = ["Sittings", "gathered", "how_it_ended", "now"]

MOST_NOTES = 50
"""Notes that a manifest holds; methods may put numbers into them, so that all differ."""


class Sittings:
    """Every sitting of a run in the types of JSON, the current one last where there is one.

    Parameters
    ----------
    before
        Those that the manifest holds. One that did not say how it ended was killed.
    trials_done
        Trials on disk now: what is more than the others trained is that one's.
    """

    def __init__(self, before: Sequence[Mapping[str, Any]], trials_done: int, /) -> None:
        self._all: list[dict[str, Any]] = [dict(one) for one in before]
        self.current: dict[str, Any] | None = None
        self._since = time.monotonic()
        if self._all and self._all[-1]["how"] == "running":
            others = sum(one["trials"] for one in self._all[:-1])
            trials = max(self._all[-1]["trials"], trials_done - others)
            self._all[-1] |= {"how": "killed", "trials": trials}

    @property
    def command(self) -> str | None:
        """The command of the current sitting."""
        return None if self.current is None else self.current["command"]

    @property
    def facts(self) -> dict[str, Any]:
        """Jobs, device and executor of the last sitting that trained."""
        last = self._all[-1] if self._all else {}
        return {name: last[name] for name in ("jobs", "device", "executor") if name in last}

    def begin(
        self, command: str | None, machine: Mapping[str, Any], facts: Mapping[str, Any]
    ) -> None:
        """Begin one."""
        self.current = {
            "started": now(),
            "ended": None,
            "how": "running",
            "command": command,
            **facts,
            "host": platform.node(),
            "machine": dict(machine),
            "chunks": 0,
            "trials": 0,
            "trials_failed": 0,
            "seconds": 0.0,
        }
        self._all.append(self.current)

    def count(self, chunk: Chunk, *, failed: int) -> None:
        """Count a chunk that has ended, of which so many trials failed."""
        if self.current is not None:
            self.current["chunks"] += 1
            self.current["trials"] += len(chunk.trials)
            self.current["trials_failed"] += failed

    def end(self, how: str) -> None:
        """End the current one."""
        if self.current is not None:
            self.current |= {"ended": now(), "how": how}

    def document(self) -> list[dict[str, Any]]:
        """All of them as they are now."""
        if self.current is not None:
            self.current["seconds"] = round(time.monotonic() - self._since, 3)
        return [dict(one) for one in self._all]


def how_it_ended(error: BaseException, /) -> str:
    """What a sitting says of what ended it before its last chunk."""
    if isinstance(error, KeyboardInterrupt):
        return "interrupted"
    return f"{type(error).__name__}: {first_line(error)}"


def gathered(notes: Iterable[tuple[str, Sequence[str]]], /) -> list[str]:
    """Notes of chunks, each with its method, said once for all chunks that say the same."""
    counts: dict[tuple[str, str], int] = {}
    for method, said in notes:
        for note in dict.fromkeys(said):
            counts[method, note] = counts.get((method, note), 0) + 1
    ordered = sorted(counts.items())
    lines = [
        f"{count} {'chunk' if count == 1 else 'chunks'} of {method}: {note}"
        for (method, note), count in ordered[:MOST_NOTES]
    ]
    if (more := len(ordered) - MOST_NOTES) > 0:
        lines.append(f"{more} further notes stand in the files of their chunks")
    return lines


def now() -> str:
    """The time, for a manifest."""
    return datetime.now(UTC).isoformat(timespec="seconds")
