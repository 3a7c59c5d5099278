"""Limits on the size of a table: beyond them there is a message, not a machine without memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fairbench.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["MOST_BYTES", "SIZE", "check_extent"]

SIZE = "4 GiB"
MOST_BYTES = 4 << 30
"""Bytes of a file, packed or unpacked."""

MOST_ROWS = 100_000_000
MOST_COLUMNS = 20_000
MOST_CELLS = 500_000_000
"""Cells of a table: 4 GB as numbers, and up to four times that while it is read."""


def check_extent(rows: int, columns: int, where: str) -> None:
    """Refuse a table above the limits; to be asked before its cells are read.

    Raises
    ------
    DataError
        Naming the limit.
    """
    found: Sequence[tuple[str, int, int]] = (
        ("columns", columns, MOST_COLUMNS),
        ("rows", rows, MOST_ROWS),
        ("cells", rows * columns, MOST_CELLS),
    )
    for what, count, most in found:
        if count > most:
            raise DataError(
                f"the table has {count:,} {what}, above the limit of {most:,}",
                where=where,
                hint="give a part of its rows or columns",
            )
