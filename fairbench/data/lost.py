"""Rows without a value that they need: which are left out, and whom that hits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fairbench.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from fairbench.data.columns import BoolArray, Column
    from fairbench.data.tables import Table
    from fairbench.dataset import Protected

__all__ = ["Usable", "by_group", "usable"]


@dataclass(frozen=True, slots=True)
class Usable:
    """Rows that stay, (n,) bool, and how many others each reason costs."""

    keep: BoolArray
    dropped: tuple[tuple[str, int], ...]


def usable(columns: Mapping[str, Column], needed: Collection[str], table: Table) -> Usable:
    """The rows with a finite value in every column of `needed`.

    A row that misses several values counts for the first of them in the order of the table.

    Raises
    ------
    DataError
        Where no row stays.
    """
    keep = np.ones(table.rows, dtype=bool)
    dropped: list[tuple[str, int]] = []
    for name in (name for name in table.names if name in needed):
        bad = {"missing": columns[name].missing}
        if not columns[name].is_text:
            bad["infinite"] = np.isinf(columns[name].numbers)
        for what, rows in bad.items():
            if count := int((rows & keep).sum()):
                dropped.append((f"{what} {name!r}", count))
            keep &= ~rows
    if not keep.any():
        reason, count = max(dropped, key=lambda pair: pair[1], default=("the table is empty", 0))
        raise DataError(
            "no row has a value in every column in use",
            where=f"{table.where}; most are lost to {reason}: {count} of {table.rows} rows",
            hint="leave such columns out with --drop column",
        )
    return Usable(keep, tuple(dropped))


def by_group(hit: BoolArray, known: BoolArray, attribute: Protected) -> str:
    """Count the rows of each group that are hit: ``F 12 of 60 (20 %), M 3 of 40 (8 %)``.

    Parameters
    ----------
    hit : (n,) bool
        Over all rows of the table.
    known : (n,) bool
        Rows that have a value of the attribute; `attribute` is over these.
    """
    parts = []
    for number, label in enumerate(attribute.labels):
        of = attribute.groups == number
        size, count = int(of.sum()), int((hit[known] & of).sum())
        parts.append(f"{label} {count:,} of {size:,} ({count / max(size, 1):.0%})")
    if without := int((hit & ~known).sum()):
        parts.append(f"without a group {without:,}")
    return ", ".join(parts)
