"""Where the marks of a figure of intervals stand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from fairbench.report import Intervals

__all__ = ["Diagram", "Row", "diagram"]

_WIDTH, _MARGIN = 400.0, 12.0
_TOP, _STEP = 24.0, 36.0
_LONGEST = 32
"""Characters of a label that fit beside the middle of the drawing."""


@dataclass(frozen=True)
class Row:
    """One mark of the drawing: its value and its interval.

    `x`, `low`, `high` and `y` are places in the drawing; `turned` says that the label ends where
    the bar ends, for it would leave the drawing otherwise.
    """

    label: str
    told: str
    x: float
    low: float
    high: float
    y: float
    turned: bool


@dataclass(frozen=True)
class Diagram:
    """Everything that is drawn, in user units; `zero`: the line; `band`: what counts as there."""

    width: float
    height: float
    zero: float
    band: tuple[float, float]
    rows: tuple[Row, ...]


def diagram(figure: Intervals, /) -> Diagram:
    """Where everything stands; an interval that is not known is its value alone."""
    marks = [mark for mark in figure.marks if np.isfinite(mark.value)]
    ends = [end for m in marks for end in (m.value, m.low, m.high) if np.isfinite(end)]
    near = (figure.zero - figure.room, figure.zero + figure.room)
    ends += near if figure.line else ()
    low, high = min(ends, default=0.0), max(ends, default=1.0)
    scale = (_WIDTH - 2 * _MARGIN) / ((high - low) or 1.0)

    def place(value: float) -> float:
        return round(_MARGIN + (value - low) * scale, 2)

    rows = tuple(
        Row(
            mark.label if len(mark.label) <= _LONGEST else f"{mark.label[: _LONGEST - 1]}…",
            f"{mark.value:+.3g}" if figure.line else f"{mark.value:.3g}",
            place(mark.value),
            place(mark.low if np.isfinite(mark.low) else mark.value),
            place(mark.high if np.isfinite(mark.high) else mark.value),
            _TOP + _STEP * (position + 0.75),
            turned=place(mark.value) > _WIDTH / 2,
        )
        for position, mark in enumerate(marks)
    )
    return Diagram(
        _WIDTH,
        _TOP + _STEP * len(rows) + _MARGIN,
        place(figure.zero),
        (place(near[0]), place(near[1])),
        rows,
    )
