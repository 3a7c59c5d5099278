"""Columns that name what a row of a table is about."""

from __future__ import annotations

__all__ = ["METHOD", "PLACE", "POINT", "REPEAT"]

PLACE = ["dataset", "target", "protected"]
"""One target of a dataset by one protected attribute."""

METHOD = [*PLACE, "method"]
"""One method there."""

REPEAT = ["split", "seed"]
"""One repetition of a training."""

POINT = [*METHOD, *REPEAT, "value"]
"""One trial there: a point of the fronts table."""
