"""CSV: the tables for a spreadsheet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fairbench.report import SECTIONS, Documents, Reporter, View, gather

if TYPE_CHECKING:
    import pandas as pd

    from fairbench.analyze import Run

__all__ = ["Csv"]

# A cell that begins so is a formula to a spreadsheet; names in a run come from strangers.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True)
class Csv(Reporter):
    """One file per table, the points of every trial first."""

    def render(self, runs: Sequence[Run], view: View, /) -> Documents:
        contents = gather(runs, view)
        tables = {d.name: d.table for section in SECTIONS for d in section.data(contents)}
        first = {"fronts": tables["fronts"]}
        return {f"{name}.csv": _text(table) for name, table in (first | tables).items()}


def _text(table: pd.DataFrame) -> str:
    words = table.select_dtypes(exclude=["number", "bool"]).columns
    harmless = table.assign(**{name: table[name].map(_harmless) for name in words})
    return str(harmless.to_csv(index=False, lineterminator="\n"))


def _harmless(cell: object) -> object:
    if not isinstance(cell, str):
        return cell
    # A carriage return would end the row: only the newlines of a cell are quoted.
    lines = cell.replace("\r\n", "\n").replace("\r", "\n")
    return f"'{lines}" if cell.startswith(_FORMULA) else lines
