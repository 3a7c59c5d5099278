"""Where fronts are measured: the unit square that losses are scaled to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fairbench.analyze.columns import PLACE
from fairbench.analyze.matched import with_losses

if TYPE_CHECKING:
    from collections.abc import Hashable

    import pandas as pd

    from fairbench.analyze.axes import Axes
    from fairbench.dataset import FloatArray

__all__ = ["Box", "boxes"]

REACH = 0.95
"""Share of all trials' losses that a box holds along each axis: outliers must not set the scale."""


@dataclass(frozen=True, slots=True)
class Box:
    """Where fronts are measured: maps losses (error, disparity) to the unit square.

    Attributes
    ----------
    ideal
        The least error loss and the least disparity loss of any trial: becomes (0, 0).
    reference
        The reference point of hypervolumes: the 95th percentile of each loss, becomes (1, 1).
        A trial beyond it adds nothing.
    """

    ideal: tuple[float, float]
    reference: tuple[float, float]

    def scaled(self, points: FloatArray, /) -> FloatArray:
        """Losses (n, 2) in units of the box."""
        low, high = np.array(self.ideal), np.array(self.reference)
        scaled: FloatArray = (points - low) / np.where(high > low, high - low, 1.0)
        return scaled


def boxes(fronts: pd.DataFrame, axes: Axes, /) -> dict[tuple[Hashable, ...], Box]:
    """One box per (dataset, target, protected attribute), from the test losses of all trials."""
    points = with_losses(fronts, axes)
    found: dict[tuple[Hashable, ...], Box] = {}
    for key, part in points.groupby(PLACE, sort=True):
        losses = part[["error_loss", "disparity_loss"]].to_numpy()
        ideal, far = losses.min(axis=0), np.quantile(losses, REACH, axis=0)
        found[tuple(key)] = Box((float(ideal[0]), float(ideal[1])), (float(far[0]), float(far[1])))
    return found
