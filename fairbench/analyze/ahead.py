"""Metrics of chunks that are stored already, computed while others are still being trained."""

from __future__ import annotations

import threading
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

from fairbench.analyze._installed import usable
from fairbench.analyze.tables import measured
from fairbench.store import RunFolder

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from fairbench.store import Rows, StoredChunk

__all__ = ["Ahead"]


class Ahead:
    """Measures chunks in a thread of its own, in the order in which they are added.

    What fails here, for whatever reason, is computed again by whom it concerns. The thread ends
    with `close`, after the chunk that it has in hand.

    Parameters
    ----------
    path
        A run folder with a manifest and the rows of its datasets.
    """

    def __init__(self, path: Path, /) -> None:
        self._folder = RunFolder(path)
        self._metrics = usable(self._folder.manifest["metrics"])[0]  # imported here, in order
        self._found: dict[str, tuple[Any, list[pd.DataFrame]]] = {}
        self._keys: SimpleQueue[str | None] = SimpleQueue()
        self._closed = False
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    def add(self, key: str, /) -> None:
        """Have the stored chunk of this key measured."""
        self._keys.put(key)

    def of(self, chunk: StoredChunk, /) -> Sequence[pd.DataFrame] | None:
        """Return what was measured of a chunk; None for one that is not as it was then."""
        arrays, frames = self._found.get(chunk.key, (None, []))
        return frames if arrays == chunk.meta["arrays"] else None

    def finish(self) -> None:
        """Wait until everything that was added is measured."""
        self._keys.put(None)
        self._thread.join()

    def close(self) -> None:
        """Take nothing more in hand."""
        self._closed = True
        self._keys.put(None)

    def _work(self) -> None:
        # What conclusions need, and what takes longest to import.
        import moocore  # noqa: F401
        import scipy.stats  # noqa: F401

        rows: dict[str, Rows] = {}
        while (key := self._keys.get()) is not None and not self._closed:
            try:
                chunk = self._folder.chunk(key)
                if chunk is not None:
                    frames = measured(self._folder, chunk, self._metrics, rows)
                    self._found[key] = chunk.meta["arrays"], frames
            except Exception:  # noqa: S112  # whoever reads the chunk meets it again
                continue
