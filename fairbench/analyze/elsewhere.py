"""What is chosen for a seed is chosen without that seed: losses seen in other trainings."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from fairbench.dataset import FloatArray, IntArray

__all__ = ["seen_elsewhere"]


def seen_elsewhere(points: pd.DataFrame, losses: FloatArray, by: Sequence[str], /) -> FloatArray:
    """For every point the mean losses that the same trade-off value had in other trainings.

    All trade-off values of a seed start from the same weights and visit rows in the same order,
    so that luck is smooth along the trade-off and returns on test rows. A value chosen by the
    seed's own validation rows is chosen for its luck; the other trainings know nothing of it.

    Parameters
    ----------
    points
        Columns `by`, split, seed and value; one row per point.
    losses : (n, k)
        On selection rows; NaN where a trial has none.
    by
        Columns that keep datasets, targets, attributes and methods apart.

    Returns
    -------
    (n, k) float
        The mean over the other seeds of the same split. Where splits have one seed each, over
        the other splits, whose validation rows are partly this split's test rows: simulations
        find no harm in it (docs/statistics.md). A study of a single training has nothing
        else, and its own losses stand. NaN where a point has no loss of its own, or none of
        the others has one.
    """
    if points.empty:
        return losses
    repeats = points[["split", "seed"]].drop_duplicates()
    if len(repeats) == 1:
        return losses
    several = bool(repeats["split"].duplicated().any())
    keys = [*by, "value", *(["split"] if several else [])]
    group = points.groupby(keys, dropna=False, sort=False).ngroup()
    found = np.column_stack(
        [_others(column, np.asarray(group, dtype=np.int64)) for column in losses.T]
    )
    found[~np.isfinite(losses).all(axis=1)] = np.nan
    return found


def _others(values: FloatArray, group: IntArray) -> FloatArray:
    """Mean of `values` (n,) over the other members of each one's group (n,); NaN without any."""
    known = np.isfinite(values)
    held = np.where(known, values, 0.0)
    counts = np.bincount(group, weights=known)[group] - known
    sums = np.bincount(group, weights=held)[group] - held
    means: FloatArray = np.divide(sums, counts, out=np.full(len(values), np.nan), where=counts > 0)
    return means
