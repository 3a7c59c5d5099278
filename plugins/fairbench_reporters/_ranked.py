"""Methods ranked across datasets: a table, a sentence and a critical-difference diagram."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fairbench_reporters._cells import Cells, number

if TYPE_CHECKING:
    from fairbench.report import Contents

__all__ = ["Diagram", "Row", "diagram", "sentence", "table"]

_LEVEL = 0.05
_WIDTH, _MARGIN = 400.0, 12.0
_TOP, _STEP = 40.0, 36.0
_LONGEST = 32
"""Characters of a label that fit beside the middle of the drawing."""


def table(contents: Contents, /) -> Cells:
    """Mean rank of every method, the best first; without rows where there is no ranking."""
    header = ("method", f"mean rank in {contents.axes.disparity}")
    found = contents.ranks.ranking
    if found is None:
        return Cells(header, (), numbers=(1,))
    rows = zip(found.methods, map(number, found.ranks), strict=True)
    return Cells(header, tuple(rows), numbers=(1,))


def sentence(contents: Contents, /) -> str:
    """What the ranks say; empty where there is no ranking."""
    found = contents.ranks.ranking
    if found is None:
        return ""
    tested = f"(Friedman's test, p = {number(found.p)})"
    told = f"Over {found.datasets} datasets the methods' mean ranks in {contents.axes.disparity} "
    if found.p > _LEVEL:
        return told + f"do not differ by more than chance gives {tested}: none can be called best."
    return told + (
        f"differ by more than chance gives {tested}. Two methods are told apart where their mean "
        f"ranks differ by {number(found.critical_difference)} or more (Nemenyi's critical "
        "difference at 5 %)."
    )


@dataclass(frozen=True)
class Row:
    """One method of the diagram: its mean rank, and half a critical difference to each side.

    `x`, `low`, `high` and `y` are places in the drawing; `turned` says that the label ends where
    the bar ends, for it would leave the drawing otherwise.
    """

    label: str
    rank: str
    x: float
    low: float
    high: float
    y: float
    turned: bool


@dataclass(frozen=True)
class Diagram:
    """Everything that is drawn, in user units; `ticks` are ranks with their places."""

    width: float
    height: float
    ticks: tuple[tuple[int, float], ...]
    rows: tuple[Row, ...]


def diagram(contents: Contents, /) -> Diagram | None:
    """Where everything of the critical-difference diagram stands."""
    found = contents.ranks.ranking
    if found is None:
        return None
    half = found.critical_difference / 2
    count = len(found.methods)
    scale = (_WIDTH - 2 * _MARGIN) / (count - 1 + 2 * half)

    def place(rank: float) -> float:
        return round(_MARGIN + (rank - 1 + half) * scale, 2)

    rows = tuple(
        Row(
            label if len(label) <= _LONGEST else f"{label[: _LONGEST - 1]}…",
            number(rank),
            place(rank),
            place(rank - half),
            place(rank + half),
            _TOP + _STEP * (position + 0.75),
            turned=place(rank) > _WIDTH / 2,
        )
        for position, (label, rank) in enumerate(zip(found.methods, found.ranks, strict=True))
    )
    ticks = tuple((rank, place(rank)) for rank in range(1, count + 1))
    return Diagram(_WIDTH, _TOP + _STEP * count + _MARGIN, ticks, rows)
