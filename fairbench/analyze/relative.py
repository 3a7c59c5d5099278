"""Every method relative to the baseline on the same rows, averaged over targets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from fairbench.analyze.axes import as_loss
from fairbench.analyze.columns import PLACE
from fairbench.analyze.rules import LEVEL
from fairbench.errors import StudyError

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping

    from fairbench.analyze.axes import Axes

__all__ = ["relative_table"]

_POINT = ["dataset", "protected", "method", "value"]
_COLUMNS = [*_POINT, "repeats", "arfg", "are", "delta_m", "reason"]


def relative_table(
    metrics: pd.DataFrame, axes: Axes, baseline: str, chance: pd.DataFrame, /
) -> pd.DataFrame:
    """What a multi-task method does to all targets at once, on test rows.

    Means over splits and seeds are divided, not the values of single trials: a disparity of one
    trial comes near zero by chance, and the mean of such quotients says 4 of a method that is
    the baseline itself.

    Parameters
    ----------
    metrics
        The metrics table.
    axes
        Error and disparity; one whose best is ``one`` counts as its distance to 1.
    baseline
        Label of the method that all others are divided by, over the splits and seeds they share.
    chance
        Columns dataset, target, protected, p and powerless of `Run.noise`: a disparity that is
        not more than chance gives is nothing to be relative to.

    Returns
    -------
    DataFrame
        One row per dataset, protected attribute, method and trade-off value. ``repeats``: splits
        and seeds that both have, of the target with the fewest. ``arfg`` and ``are`` are the
        mean over targets of mean disparity and of mean error, each over the baseline's (Wang et
        al. 2021, average relative fairness gap and average relative error; below 1 is better).
        ``delta_m`` is the mean over targets and both axes of (baseline − method)/baseline: a
        share, positive where the method is better on average (Maninis et al. 2019, eq. 4).
        NaN with ``reason`` where that cannot be said.

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
                hint="choose metrics whose best is low, or 1",
            )
    test = metrics[metrics["part"] == "test"]
    losses = test[[*PLACE, "method", "value", "split", "seed"]].assign(
        error=as_loss(test[axes.error].to_numpy(dtype=np.float64), axes.error_best),
        disparity=as_loss(test[axes.disparity].to_numpy(dtype=np.float64), axes.disparity_best),
    )
    # A trial without a value of both leaves its repeat out of both means.
    losses = losses.dropna(subset=["error", "disparity"])
    base = losses[losses["method"] == baseline].drop(columns=["method", "value"])
    base = base.groupby([*PLACE, "split", "seed"], as_index=False).mean()
    pairs = losses.merge(base, on=[*PLACE, "split", "seed"], suffixes=("", "_base"))
    sums = pairs.groupby([*PLACE, "method", "value"], dropna=False, sort=True).agg(
        repeats=("error", "size"),
        error=("error", "mean"),
        error_base=("error_base", "mean"),
        disparity=("disparity", "mean"),
        disparity_base=("disparity_base", "mean"),
    )
    means = _every_point(test).merge(sums.reset_index(), on=[*PLACE, "method", "value"], how="left")
    means = means.merge(chance[[*PLACE, "p", "powerless"]], on=PLACE, how="left")
    rows = [
        (*key, *_of_targets(part)) for key, part in means.groupby(_POINT, dropna=False, sort=True)
    ]
    return pd.DataFrame(rows, columns=_COLUMNS)


def _every_point(test: pd.DataFrame) -> pd.DataFrame:
    return test[[*PLACE, "method", "value"]].drop_duplicates()


def _of_targets(part: pd.DataFrame) -> tuple[int, float, float, float, str]:
    """Mean quotients over the targets of one method and value, or why there are none."""
    repeats = int(part["repeats"].fillna(0).min())
    reason = next(filter(None, (_unfit(row) for row in part.to_dict("records"))), "")
    bare = part["error_base"].isna() | (part["error_base"] == 0)
    are = float(np.nan if bare.any() else (part["error"] / part["error_base"]).mean())
    if reason:
        return repeats, np.nan, are, np.nan, reason
    arfg = float((part["disparity"] / part["disparity_base"]).mean())
    return repeats, arfg, are, 1 - (arfg + are) / 2, ""


def _unfit(row: Mapping[Hashable, Any]) -> str:
    """Why the disparity for this target has no quotient, or nothing."""
    repeats, p = float(row["repeats"]), float(row["p"])
    if not repeats > 0:
        return f"{row['target']}: no split and seed with a value of both"
    if row["powerless"]:
        return f"{row['target']}: {row['powerless']}"
    if not p <= LEVEL:
        return f"{row['target']}: the baseline's disparity is within chance (p = {p:.2g})"
    if row["disparity_base"] == 0 or row["error_base"] == 0:
        return f"{row['target']}: the baseline has a mean of 0"
    return ""
