"""What choosing trade-off points on test rows would have added: the optimism of a study."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from fairbench.analyze.indicators import deployed
from fairbench.analyze.matched import METHOD, PLACE, with_losses

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping

    from fairbench.analyze.axes import Axes
    from fairbench.dataset import FloatArray

__all__ = ["Box", "boxes", "optimism"]

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


def optimism(
    fronts: pd.DataFrame, axes: Axes, box: Mapping[tuple[Hashable, ...], Box], /
) -> pd.DataFrame:
    """Hypervolume on test rows of points chosen on selection rows, and of points chosen on test.

    See `fairbench.analyze.deployed`.

    Returns
    -------
    DataFrame
        One row per dataset, target, protected attribute, method, split and seed: honest and
        test_selected hypervolumes (shares of the box, in [0, 1]) and gap, their difference:
        never negative, and pure illusion.
    """
    points = with_losses(fronts, axes)
    rows = []
    for key, part in points.groupby([*METHOD, "split", "seed"], sort=True):
        scaled = box[tuple(key[:3])].scaled
        test = scaled(part[["error_loss", "disparity_loss"]].to_numpy())
        chosen = scaled(part[["selection_error_loss", "selection_disparity_loss"]].to_numpy())
        honest, selected = deployed(test, chosen), deployed(test, test)
        rows.append((*key, honest, selected, selected - honest))
    columns = [*METHOD, "split", "seed", "honest", "test_selected", "gap"]
    return pd.DataFrame(rows, columns=columns)
