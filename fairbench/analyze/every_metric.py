"""Every trial in every disparity metric, in one table."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fairbench.analyze.axes import as_loss
from fairbench.analyze.columns import POINT
from fairbench.analyze.matched import LOSSES

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from fairbench.analyze.axes import Axes
    from fairbench.dataset import FloatArray

__all__ = ["points_by_metric"]


def points_by_metric(
    metrics: pd.DataFrame, selection: str, several: Sequence[Axes], /
) -> pd.DataFrame:
    """Usable trials with their losses, once for each of several disparity metrics.

    The same points as `with_losses` of one fronts table per metric, without its `front`: trials
    are found on selection rows once, not once per metric.

    Parameters
    ----------
    metrics
        The metrics table.
    selection
        The part on which points are chosen.
    several
        Axes, each with another disparity metric.

    Returns
    -------
    DataFrame
        The key of a trial, its error and disparity on test and on selection rows, their losses,
        and the name of the disparity in column ``metric``.
    """
    test = metrics[metrics["part"] == "test"].reset_index(drop=True)
    chosen_on = metrics[metrics["part"] == selection].reset_index(drop=True)
    numbered = chosen_on[POINT].assign(row=np.arange(len(chosen_on)))
    found = test[POINT].merge(numbered, on=POINT, how="left", validate="one_to_one")
    rows = found["row"].to_numpy(dtype=np.float64)  # NaN where a trial has no selection rows
    columns: dict[str, list[FloatArray]] = {}
    for axes in several:
        for axis, name, best in (
            ("error", axes.error, axes.error_best),
            ("disparity", axes.disparity, axes.disparity_best),
        ):
            reported = test[name].to_numpy(dtype=np.float64)
            selected = _taken(chosen_on[name].to_numpy(dtype=np.float64), rows)
            for part, values in (("", reported), ("selection_", selected)):
                columns.setdefault(f"{part}{axis}", []).append(values)
                columns.setdefault(f"{part}{axis}_loss", []).append(as_loss(values, best))
    table = test[POINT].iloc[np.tile(np.arange(len(test)), len(several))]
    table = table.assign(
        metric=np.repeat(np.array([axes.disparity for axes in several], dtype=object), len(test)),
        **{name: np.concatenate(values) for name, values in columns.items()},
    )
    return table.dropna(subset=LOSSES).reset_index(drop=True)


def _taken(values: FloatArray, rows: FloatArray) -> FloatArray:
    taken = np.full(len(rows), np.nan)
    known = np.isfinite(rows)
    taken[known] = values[rows[known].astype(np.intp)]
    return taken
