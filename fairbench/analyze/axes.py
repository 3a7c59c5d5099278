"""The two axes of a front, as losses: quantities of which less is better."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from fairbench.dataset import FloatArray

__all__ = ["Axes", "Best", "as_loss", "from_loss", "nondominated"]

Best = Literal["low", "high", "one"]


@dataclass(frozen=True, slots=True)
class Axes:
    """Names of the error and the disparity metric, and which of their values are best."""

    error: str
    disparity: str
    error_best: Best = "low"
    disparity_best: Best = "low"


def as_loss(values: FloatArray, best: Best, /) -> FloatArray:
    """`values` (...) as a loss: themselves, negated (high), or their distance to 1 (one)."""
    match best:
        case "low":
            return values
        case "high":
            return -values
        case "one":
            return np.abs(values - 1.0)


def from_loss(losses: FloatArray, best: Best, /) -> FloatArray:
    """A value of the metric that has this loss: for ``one`` that at or above 1."""
    match best:
        case "low":
            return losses
        case "high":
            return -losses
        case "one":
            return 1.0 + losses


def nondominated(points: FloatArray, /) -> NDArray[np.bool_]:
    """Which of the points (n, 2), in losses, no other point dominates.

    Equal points are all kept; a point with NaN is never on the front and dominates nothing.
    """
    import moocore

    front = np.zeros(len(points), dtype=bool)
    known = np.isfinite(points).all(axis=1)
    if known.any():
        front[known] = moocore.is_nondominated(points[known], keep_weakly=True)
    return front
