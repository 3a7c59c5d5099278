"""Changes as shares of what they change, where that is a number and not rounding."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from fairbench.dataset import FloatArray

__all__ = ["share"]

_LEAST = 1e-14
"""A value of a metric below which it is 0 but for rounding."""

_MOST = 1e9
"""Multiple of a value beyond which it is 0 beside the change, and no unit for it."""


def share(part: FloatArray | float, base: FloatArray | float, /) -> FloatArray:
    """``part / base`` element by element; NaN where `base` is within rounding of 0."""
    part, base = np.broadcast_arrays(
        np.asarray(part, dtype=np.float64), np.asarray(base, dtype=np.float64)
    )
    size = np.abs(base)
    known = (size > _LEAST) & (np.abs(part) <= _MOST * size)
    found: FloatArray = np.divide(part, base, out=np.full(base.shape, np.nan), where=known)
    return found
