"""The front of a method over all splits: trade-off values that are best on average."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from fairbench.analyze import METHOD, as_loss, nondominated

if TYPE_CHECKING:
    from fairbench.analyze import Axes

__all__ = ["averaged_fronts"]


def averaged_fronts(fronts: pd.DataFrame, axes: Axes, /) -> pd.DataFrame:
    """Trade-off values whose means over splits and seeds no other value dominates.

    Parameters
    ----------
    fronts
        The fronts table for `axes`.

    Returns
    -------
    DataFrame
        dataset, target, protected, method, value; error and disparity: means over trials on
        test rows, with standard deviations (NaN for a single trial); trials: how many that
        is; chosen: on how many of their own fronts this value stands. Values are compared by
        their mean losses on selection rows, and sorted from accurate to fair.
    """
    points = fronts[["error", "disparity", "selection_error", "selection_disparity"]]
    known = fronts[np.isfinite(points.to_numpy(dtype=np.float64)).all(axis=1)]
    known = known.assign(
        error_loss=as_loss(known["selection_error"].to_numpy(), axes.error_best),
        disparity_loss=as_loss(known["selection_disparity"].to_numpy(), axes.disparity_best),
    )
    means = (
        known.groupby([*METHOD, "value"], dropna=False, sort=True)
        .agg(
            error=("error", "mean"),
            error_sd=("error", "std"),
            disparity=("disparity", "mean"),
            disparity_sd=("disparity", "std"),
            trials=("error", "size"),
            chosen=("front", "sum"),
            error_loss=("error_loss", "mean"),
            disparity_loss=("disparity_loss", "mean"),
        )
        .reset_index()
    )
    best = np.zeros(len(means), dtype=bool)
    losses = means[["error_loss", "disparity_loss"]].to_numpy(dtype=np.float64)
    for index in means.groupby(METHOD, sort=False).indices.values():
        best[index] = nondominated(losses[index])
    kept: pd.DataFrame = means[best].sort_values(
        [*METHOD, "error_loss"], kind="stable", ignore_index=True
    )
    return kept.drop(columns=["error_loss", "disparity_loss"])
