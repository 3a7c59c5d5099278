"""Every trial relative to the baseline on the same rows, averaged over targets."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from fairbench.analyze.axes import as_loss
from fairbench.analyze.shares import share
from fairbench.errors import StudyError

if TYPE_CHECKING:
    from fairbench.analyze.axes import Axes

__all__ = ["relative_table"]

_PLACE = ["dataset", "protected", "split", "seed"]
_TRIAL = ["dataset", "protected", "method", "value", "split", "seed"]
_COLUMNS = [*_TRIAL, "arfg", "are", "delta_m"]


def relative_table(metrics: pd.DataFrame, axes: Axes, baseline: str, /) -> pd.DataFrame:
    """What a multi-task method does to all targets at once, on test rows.

    Parameters
    ----------
    metrics
        The metrics table.
    axes
        Error and disparity; one whose best is ``one`` counts as its distance to 1.
    baseline
        Label of the method that all others are divided by, split by split and seed by seed.

    Returns
    -------
    DataFrame
        One row per trial and protected attribute. ``arfg`` and ``are`` are the mean over
        targets of disparity and of error, each over the baseline's (Wang et al. 2021, average
        relative fairness gap and average relative error; below 1 is better). ``delta_m`` is
        the mean over targets and both axes of (baseline − trial)/baseline: a share, positive
        where the trial is better on average (Maninis et al. 2019, eq. 4). NaN where the
        baseline has no value, or one within rounding of 0.

    Raises
    ------
    StudyError
        For an axis whose best is ``high``: quotients of it have no direction.
    """
    for name, best in ((axes.error, axes.error_best), (axes.disparity, axes.disparity_best)):
        if best == "high":
            raise StudyError(
                f"{name!r} is better the higher it is, so a quotient to the baseline says nothing",
                where="relative to the baseline",
                mend="choose metrics whose best is low, or 1",
            )
    test = metrics[metrics["part"] == "test"]
    losses = test[[*_TRIAL, "target"]].assign(
        error=as_loss(test[axes.error].to_numpy(dtype=np.float64), axes.error_best),
        disparity=as_loss(test[axes.disparity].to_numpy(dtype=np.float64), axes.disparity_best),
    )
    base = losses[losses["method"] == baseline].drop(columns=["method", "value"])
    paired = losses.merge(
        base, on=[*_PLACE, "target"], how="left", suffixes=("", "_base"), validate="many_to_one"
    )
    ratios = {
        name: share(paired[name].to_numpy(), paired[f"{name}_base"].to_numpy())
        for name in ("error", "disparity")
    }
    per_target = paired[_TRIAL].assign(arfg=ratios["disparity"], are=ratios["error"])
    grouped = per_target.groupby(_TRIAL, dropna=False, sort=True)[["arfg", "are"]]
    # skipna: a target without a value leaves the mean without one, rather than out of it
    means = grouped.mean(skipna=False).reset_index()
    return means.assign(delta_m=1 - (means["arfg"] + means["are"]) / 2)[_COLUMNS]
