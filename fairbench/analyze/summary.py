"""A few lines that say where each method stands."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from fairbench.analyze.axes import Axes, as_loss
from fairbench.analyze.columns import METHOD

if TYPE_CHECKING:
    from collections.abc import Hashable

__all__ = ["summary_table"]

_COLUMNS = [
    *METHOD,
    "point",
    "value",
    "error",
    "error_sd",
    "disparity",
    "disparity_sd",
    "runs",
    "trials",
    "unusable",
]


def summary_table(fronts: pd.DataFrame, axes: Axes, /) -> pd.DataFrame:
    """Where each method stands on test rows, at two points chosen on selection rows.

    Parameters
    ----------
    fronts
        The fronts table for `axes`.

    Returns
    -------
    DataFrame
        Two rows per dataset, target, protected attribute and method: ``point`` is
        ``most accurate`` or ``fairest``, the trial with the least loss on selection rows
        within each split and seed; value is the median of their trade-off values; error and
        disparity are means over splits and seeds of what these trials reach on test rows,
        with standard deviations (NaN for a single one); runs counts splits × seeds, trials all
        trials, unusable those without a point.
    """
    rows = []
    for key, part in fronts.groupby(METHOD, sort=True):
        rows += [_row(key, part, "most accurate", as_loss(_of(part, "error"), axes.error_best))]
        rows += [_row(key, part, "fairest", as_loss(_of(part, "disparity"), axes.disparity_best))]
    return pd.DataFrame(rows, columns=_COLUMNS)


def _of(part: pd.DataFrame, axis: str) -> np.ndarray:
    return part[f"selection_{axis}"].to_numpy(dtype=np.float64)


def _row(key: Hashable, part: pd.DataFrame, point: str, loss: np.ndarray) -> dict[str, object]:
    """One row of the table; only points on the front are chosen from."""
    names = key if isinstance(key, tuple) else (key,)
    front = part.assign(loss=loss)[part["front"].to_numpy()]
    best = front.loc[front.groupby(["split", "seed"])["loss"].idxmin()]
    return {
        **dict(zip(METHOD, names, strict=True)),
        "point": point,
        "value": best["value"].median(),
        "error": best["error"].mean(),
        "error_sd": best["error"].std(),
        "disparity": best["disparity"].mean(),
        "disparity_sd": best["disparity"].std(),
        "runs": len(best),
        "trials": len(part),
        "unusable": int(part[["error", "disparity"]].isna().any(axis=1).sum()),
    }
