"""Trade-off grids as users write them: ``0.1:5.0:0.1`` or ``0.5,1,2``."""

from __future__ import annotations

import math
from decimal import Decimal, InvalidOperation

from fairbench.errors import StudyError
from fairbench.method import Tradeoff

__all__ = ["check_grid", "parse_grid"]

_MEND = "write start:stop:step, both ends included, or a comma list: 0.1:5.0:0.1 or 0.5,1,2"
_MOST = 100_000


def parse_grid(text: str, /, where: str = "--tradeoff") -> tuple[float, ...]:
    """Values of ``start:stop:step`` (decimal, so 0.1:0.3:0.1 ends at 0.3) or of a comma list."""
    try:
        if ":" not in text:
            values = tuple(float(Decimal(part.strip())) for part in text.split(","))
        else:
            values = _span(*(Decimal(part.strip()) for part in text.split(":")))
    except (InvalidOperation, ValueError, TypeError):
        raise StudyError(f"{text!r} is no grid of values", where=where, hint=_MEND) from None
    if not values or not all(map(math.isfinite, values)):
        raise StudyError(f"{text!r} holds no finite value", where=where, hint=_MEND)
    if len(set(values)) < len(values):
        raise StudyError(f"{text!r} holds a value twice", where=where, hint="name each value once")
    return values


def _span(start: Decimal, stop: Decimal, step: Decimal) -> tuple[float, ...]:
    if not (start.is_finite() and stop.is_finite() and step.is_finite() and step > 0):
        raise ValueError
    count = int((stop - start) / step) + 1 if stop >= start else 0
    if count > _MOST:
        raise ValueError
    return tuple(float(start + index * step) for index in range(count))


def check_grid(values: tuple[float, ...], tradeoff: Tradeoff, /, method: str) -> None:
    """Refuse values outside the method's bounds, infinite ones, and any that stands twice."""
    where = f"trade-off of method {method!r}"
    for value in values:
        if not (math.isfinite(value) and tradeoff.low <= value <= tradeoff.high):
            raise StudyError(
                f"{tradeoff.name} = {value:g} is outside [{tradeoff.low:g}, {tradeoff.high:g}]",
                where=where,
                hint="choose values within these bounds",
            )
    if len(set(values)) < len(values):
        raise StudyError(
            f"a value of {tradeoff.name} stands twice", where=where, hint="name each value once"
        )
