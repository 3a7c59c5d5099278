"""Numbers in words, the same in every format that people read."""

from __future__ import annotations

from math import floor, log10
from typing import TYPE_CHECKING

import pandas as pd

if TYPE_CHECKING:
    from fairbench.analyze import Best

__all__ = ["between", "loss_name", "number", "percent", "signed", "spread"]


def number(value: float, digits: int = 4, /) -> str:
    """A number to four significant digits, or to `digits`; a dash for what is not known."""
    return "–" if pd.isna(value) else _plain(value, digits)


def signed(value: float, /) -> str:
    """Three significant digits with a sign, or a dash."""
    return "–" if pd.isna(value) else _plain(value, 3, "+")


def between(low: float, high: float, /) -> str:
    """An interval, or a dash."""
    return "–" if pd.isna(low) else f"{_plain(low, 3)} to {_plain(high, 3)}"


def percent(share: float, /) -> str:
    """A share in whole percent, or a dash."""
    return "–" if pd.isna(share) else f"{share:.0%}"


def spread(mean: float, deviation: float, /) -> str:
    """A mean with its standard deviation: this with two significant digits, that to the same place.

    Not as ±, which readers take for an interval.
    """
    if pd.isna(deviation) or deviation == 0:
        return number(mean)
    places = min(8, max(0, 1 - floor(log10(deviation))))
    return f"{mean:,.{places}f}, sd {deviation:,.{places}f}"


def _plain(value: float, digits: int, sign: str = "") -> str:
    """A number as people write it: from a thousand on whole, with commas and no exponent."""
    return f"{value:{sign},.0f}" if abs(value) >= 1000 else f"{value:{sign}.{digits}g}"


def loss_name(name: str, best: Best, /) -> str:
    """What less of is better, of a metric and the value that is best."""
    return {"low": name, "high": f"−{name}", "one": f"distance of {name} from 1"}[best]
