"""What is known of groups, in cells: intervals, pairs, and how far chance moves predictions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pandas as pd

from fairbench_reporters._cells import Cells, number

if TYPE_CHECKING:
    from fairbench.report import Contents, Sheet

__all__ = ["arbitrariness", "intervals", "pairs"]

_MOST_PAIRS = 30
"""Pairs of groups that a page shows of one method; the CSV and JSON hold all."""


def intervals(contents: Contents, sheet: Sheet, target: str, protected: str, /) -> Cells:
    """What the disparity metric says of every group of every method."""
    own = _own(contents.by_group.intervals, sheet, target, protected)
    header = ("method", "group", "rows or clusters", contents.axes.disparity, "95 % interval")
    rows = tuple(
        (r.method, r.group, str(r.units), number(r.value), _interval(r.low, r.high))
        for r in _tuples(own)
    )
    return Cells(header, rows, numbers=(2, 3, 4))


def pairs(contents: Contents, sheet: Sheet, target: str, protected: str, /) -> Cells:
    """How sure it is that two groups differ: the surest pairs of every method first."""
    own = _own(contents.by_group.pairs, sheet, target, protected)
    surest = own.sort_values("adjusted_p", kind="stable").groupby("method", sort=False)
    header = ("method", "groups", "difference", "95 % interval", "adjusted p", "evidence")
    rows = tuple(
        (
            r.method,
            f"{r.first} – {r.second}",
            f"{r.difference:+.3g}",
            _interval(r.low, r.high),
            number(r.adjusted_p),
            r.evidence,
        )
        for r in _tuples(_ordered(surest.head(_MOST_PAIRS), sheet))
    )
    return Cells(header, rows, numbers=(2, 3, 4))


def arbitrariness(contents: Contents, sheet: Sheet, target: str, protected: str, /) -> Cells:
    """How far the prediction for a row moves with the seed of the training alone."""
    own = _own(contents.by_group.arbitrariness, sheet, target, protected)
    header = (
        "method",
        "group",
        "sd over seeds",
        "95 % interval",
        "share of residuals",
        "one in twenty above",
    )
    rows = tuple(
        (
            r.method,
            r.group,
            number(r.sd),
            _interval(r.low, r.high),
            "–" if pd.isna(r.relative) else f"{r.relative:.0%}",
            number(r.most),
        )
        for r in _tuples(own)
    )
    return Cells(header, rows, numbers=(2, 3, 4, 5))


def _tuples(table: pd.DataFrame) -> Iterator[Any]:
    return table.itertuples(index=False)


def _own(table: pd.DataFrame, sheet: Sheet, target: str, protected: str) -> pd.DataFrame:
    own = table[
        (table["dataset"] == sheet.label)
        & (table["target"] == target)
        & (table["protected"] == protected)
    ]
    return _ordered(own, sheet)


def _ordered(table: pd.DataFrame, sheet: Sheet) -> pd.DataFrame:
    order = {method: place for place, method in enumerate(sheet.methods)}
    return table.sort_values("method", key=lambda names: names.map(order), kind="stable")


def _interval(low: float, high: float) -> str:
    return "–" if pd.isna(low) else f"{low:.3g} to {high:.3g}"
