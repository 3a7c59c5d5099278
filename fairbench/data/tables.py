"""Tables as read: named columns of any kind, whose rows messages can point at."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from fairbench.data.limits import check_extent
from fairbench.errors import DataError, visible

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    import pandas as pd
    import pyarrow as pa

    from fairbench.plugins import Registry

__all__ = ["Table", "column_names", "frame_table", "is_path", "is_table_file", "rows_from_one"]

SUFFIXES = frozenset(
    ".csv .tsv .txt .parquet .pq .feather .arrow .xlsx .xlsm .xls .gz .xz .bz2 .zip".split()  # noqa: SIM905
)
SHOWN = 3
"""How many bad rows a message lists."""


def is_table_file(name: str, registry: Registry | None = None, /) -> bool:
    """Say whether `name` means a user's file rather than a dataset that a plugin offers.

    A path with a folder or with a table's suffix is one. A bare name is one only where no
    dataset has it: a file `boston` in the working directory is meant by ``./boston``.
    """
    if is_path(name):
        return True
    if registry is None:
        from fairbench.plugins import load

        registry = load()
    offered = (component.name for component in registry.components("dataset"))
    return Path(name).exists() and name not in offered


def is_path(name: str, /) -> bool:
    """Say whether `name` is a path by its form: it has a folder, or the suffix of a table."""
    return Path(name).suffix.lower() in SUFFIXES or re.search(r"[/\\]", name) is not None


@dataclass(frozen=True, slots=True)
class Table:
    """Columns by name, and how a reader finds a row.

    Attributes
    ----------
    where
        What was read, for messages.
    raw
        The cells of a column as they were stored.
    places
        Where each of some rows (ascending, from 0) stands in the file: ``line 7``.
    notes
        What reading the file itself left out or chose.
    """

    where: str
    names: tuple[str, ...]
    rows: int
    raw: Callable[[str], pa.ChunkedArray]
    places: Callable[[Sequence[int]], list[str]]
    notes: tuple[str, ...] = field(default=())

    def show(self, rows: Iterable[int], cell: Callable[[int], str] | None = None) -> str:
        """The first of `rows`, with what `cell` says of each, and how many more there are."""
        indices = list(rows)
        first = indices[:SHOWN]
        shown = [
            place + (f": {_short(cell(i))}" if cell else "")
            for i, place in zip(first, self.places(first), strict=True)
        ]
        more = len(indices) - SHOWN
        return ", ".join(shown) + (f" and {more} more" if more > 0 else "")


def frame_table(
    where: str,
    frame: pd.DataFrame,
    places: Callable[[Sequence[int]], list[str]] | None = None,
    notes: tuple[str, ...] = (),
) -> Table:
    """The table of a data frame, as a dataset plugin or a workbook gives it.

    The frame's index is no column. Cells of different types in one column count as texts.
    """
    from fairbench.data.cells import array_of

    names = column_names([str(name) for name in frame.columns], where)
    check_extent(len(frame), len(names), where)
    position = {name: number for number, name in enumerate(names)}

    def raw(name: str) -> pa.ChunkedArray:
        return array_of(frame.iloc[:, position[name]], name, where)

    return Table(where, names, len(frame), raw, places or rows_from_one, notes)


def rows_from_one(rows: Sequence[int]) -> list[str]:
    """Places in a file that has rows and no lines."""
    return [f"row {row + 1}" for row in rows]


def column_names(header: Sequence[str], where: str) -> tuple[str, ...]:
    """Names as they can be typed and shown: stripped, without control characters, all different.

    A column without a name is called ``Unnamed: 0`` by its position, as pandas calls it.

    Raises
    ------
    DataError
        Where a name stands twice.
    """
    names = [
        visible(name.strip()) or f"Unnamed: {position}" for position, name in enumerate(header)
    ]
    if twice := sorted(name for name, count in Counter(names).items() if count > 1):
        raise DataError(
            f"column name {twice[0]!r} stands {names.count(twice[0])} times",
            where=where,
            hint="give every column its own name, in the first row of the table",
        )
    return tuple(names)


def _short(text: str) -> str:
    return text if len(text) <= 40 else text[:37] + "…'"
