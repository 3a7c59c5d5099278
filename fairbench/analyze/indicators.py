"""Quality of a whole front in one number: hypervolume, IGD⁺ and additive ε (moocore)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import moocore
import numpy as np
import pandas as pd

from fairbench.analyze.axes import nondominated
from fairbench.analyze.intervals import bca_interval
from fairbench.analyze.matched import METHOD, PLACE, with_losses

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping

    from fairbench.analyze.axes import Axes
    from fairbench.analyze.selection import Box
    from fairbench.dataset import FloatArray

__all__ = ["INDICATORS", "hypervolume", "indicators", "indicators_table", "mean_over_splits"]

INDICATORS = ("hypervolume", "igd_plus", "epsilon")
"""Of hypervolume more is better, of the other two less."""


def hypervolume(points: FloatArray, /) -> float:
    """Share of the unit square that points (n, 2), scaled to it, dominate: 0 for none inside."""
    inside = points[(points < 1).all(axis=1)]
    return float(moocore.hypervolume(inside, ref=[1.0, 1.0])) if len(inside) else 0.0


def indicators(points: FloatArray, reference: FloatArray, /) -> tuple[float, float, float]:
    """Hypervolume, IGD⁺ and additive ε of a front (n, 2) against a reference front (m, 2).

    IGD⁺ (Ishibuchi et al. 2015) is the mean distance by which the front falls short of the
    reference, ε (Zitzler et al. 2003) the least shift that makes the front cover it.
    """
    if not len(points):
        return 0.0, np.nan, np.nan
    return (
        hypervolume(points),
        float(moocore.igd_plus(points, reference)),
        float(moocore.epsilon_additive(points, reference)),
    )


def indicators_table(
    fronts: pd.DataFrame, axes: Axes, box: Mapping[tuple[Hashable, ...], Box], /
) -> pd.DataFrame:
    """Indicators of every front, on test rows, in units of the study's box.

    The reference front is made of what all methods together reach on the same split and seed,
    among the points chosen on selection rows.

    Returns
    -------
    DataFrame
        One row per dataset, target, protected attribute, method, split and seed.
    """
    points = with_losses(fronts[fronts["front"].to_numpy(dtype=bool)], axes)
    rows = []
    for key, repeat in points.groupby([*PLACE, "split", "seed"], sort=True):
        scaled = box[tuple(key[:3])].scaled(repeat[["error_loss", "disparity_loss"]].to_numpy())
        best = scaled[nondominated(scaled)]
        for method, index in sorted(repeat.reset_index().groupby("method").indices.items()):
            rows.append((*key[:3], method, *key[3:], *indicators(scaled[index], best)))
    columns = [*METHOD, "split", "seed", *INDICATORS]
    table = pd.DataFrame(rows, columns=columns)
    return table.sort_values(columns[:6], ignore_index=True)


def mean_over_splits(table: pd.DataFrame, columns: tuple[str, ...], /) -> pd.DataFrame:
    """Mean over splits (of means over seeds) of each column, with its BCa interval.

    Returns
    -------
    DataFrame
        One row per dataset, target, protected attribute, method and column: ``quantity``,
        mean, low, high and splits.
    """
    by_split = table.groupby([*METHOD, "split"], as_index=False)[list(columns)].mean()
    rows = []
    for key, part in by_split.groupby(METHOD, sort=True):
        for column in columns:
            interval = bca_interval(part[column].to_numpy(dtype=np.float64))
            rows.append((*key, column, interval.mean, interval.low, interval.high, interval.n))
    return pd.DataFrame(rows, columns=[*METHOD, "quantity", "mean", "low", "high", "splits"])
