"""Methods compared over datasets: a table, a sentence and their intervals drawn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fairbench_reporters._cells import Cells, number

if TYPE_CHECKING:
    from fairbench.analyze import Across
    from fairbench.report import Contents

__all__ = ["Diagram", "Row", "diagram", "sentence", "table"]

_LEVEL = 0.05
_WIDTH, _MARGIN = 400.0, 12.0
_TOP, _STEP = 24.0, 36.0
_LONGEST = 32
"""Characters of a label that fit beside the middle of the drawing."""


def table(contents: Contents, /) -> Cells:
    """Every method's mean change over datasets; without rows where there is no comparison."""
    header = (
        "method",
        f"mean change in {_disparity(contents)}",
        "95 % interval",
        "adjusted p",
        "lower on",
        f"change in {contents.axes.error}",
        "at most",
        "finding",
    )
    rows = tuple(
        (
            one.method,
            f"{one.change:+.3g}",
            f"{one.low:+.3g} to {one.high:+.3g}",
            number(one.adjusted_p),
            f"{one.lower_on} of {one.datasets} datasets",
            f"{one.error_change:+.1%}",
            f"{one.error_high:+.1%}",
            finding(one),
        )
        for one in contents.across.methods
    )
    return Cells(header, rows, numbers=(1, 2, 3, 4, 5, 6))


def finding(one: Across, /) -> str:
    """What can be said of one method over datasets."""
    if not one.adjusted_p <= _LEVEL:
        return "not distinguishable"
    if one.change > 0:
        return "less fair"
    return "fairer" if one.error_p <= _LEVEL else "fairer, at more error"


def sentence(contents: Contents, /) -> str:
    """What was compared; empty where there is no comparison."""
    found = contents.across
    if not found.methods:
        return ""
    most = max(one.datasets for one in found.methods)
    return (
        f"Over {most} datasets, each of which counts once, every method's change in "
        f"{_disparity(contents)} against the baseline, in {found.unit}; Student's t, adjusted for "
        f"{len(found.methods)} methods (Holm). “Fairer” also needs an error that is shown to "
        f"exceed the baseline's by less than {100 * found.margin:.3g} % on average; “at most” "
        "is its upper 95 % limit."
    )


def _disparity(contents: Contents) -> str:
    name = contents.axes.disparity
    return {"low": name, "high": f"−{name}", "one": f"distance of {name} from 1"}[
        contents.axes.disparity_best
    ]


@dataclass(frozen=True)
class Row:
    """One method of the drawing: its mean change and its interval.

    `x`, `low`, `high` and `y` are places in the drawing; `turned` says that the label ends where
    the bar ends, for it would leave the drawing otherwise.
    """

    label: str
    change: str
    x: float
    low: float
    high: float
    y: float
    turned: bool


@dataclass(frozen=True)
class Diagram:
    """Everything that is drawn, in user units; `zero` is where nothing changes."""

    width: float
    height: float
    zero: float
    rows: tuple[Row, ...]


def diagram(contents: Contents, /) -> Diagram | None:
    """Where everything stands."""
    found = contents.across.methods
    if not found:
        return None
    low = min(0.0, *(one.low for one in found))
    high = max(0.0, *(one.high for one in found))
    scale = (_WIDTH - 2 * _MARGIN) / ((high - low) or 1.0)

    def place(change: float) -> float:
        return round(_MARGIN + (change - low) * scale, 2)

    rows = tuple(
        Row(
            one.method if len(one.method) <= _LONGEST else f"{one.method[: _LONGEST - 1]}…",
            f"{one.change:+.3g}",
            place(one.change),
            place(one.low),
            place(one.high),
            _TOP + _STEP * (position + 0.75),
            turned=place(one.change) > _WIDTH / 2,
        )
        for position, one in enumerate(found)
    )
    return Diagram(_WIDTH, _TOP + _STEP * len(found) + _MARGIN, place(0.0), rows)
