"""CSV: the tables for a spreadsheet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fairbench.report import Documents, Reporter, View, gather

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
        import pandas as pd

        contents = gather(runs, view)
        tables = {
            "fronts": contents.fronts,
            "averaged-fronts": contents.averages,
            "verdicts": contents.judgement.verdicts,
            "noise": contents.judgement.noise,
            "baseline-skill": contents.judgement.skill,
            "group-intervals": contents.by_group.intervals,
            "group-pairs": contents.by_group.pairs,
            "debiased": contents.by_group.debiased,
            "arbitrariness": contents.by_group.arbitrariness,
            "quality": contents.judgement.quality,
            "audits": contents.judgement.audits,
            "summary": contents.summary,
            "metrics": contents.measured,
            "groups": contents.groups,
            "trials": contents.trials,
            "failures": contents.failures,
            "unfinished": pd.DataFrame({"unfinished": contents.unfinished}, dtype=object),
        }
        return {f"{name}.csv": _text(table) for name, table in tables.items()}


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
