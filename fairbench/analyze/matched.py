"""Matched comparison: the fairest point of a method that is about as accurate as the baseline."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from fairbench.analyze.axes import Axes, as_loss
from fairbench.analyze.columns import METHOD, PLACE, REPEAT
from fairbench.analyze.primary import MARGIN

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "CHOSEN",
    "LOSSES",
    "baseline_points",
    "matched_points",
    "measured",
    "measured_among",
    "with_losses",
]

CHOSEN = (*METHOD, *REPEAT, "value", "within", "tried", "base_value")
LOSSES = ["error_loss", "disparity_loss", "selection_error_loss", "selection_disparity_loss"]


def with_losses(fronts: pd.DataFrame, axes: Axes) -> pd.DataFrame:
    """Usable trials of the fronts table with each coordinate also as a loss."""
    best = {"error": axes.error_best, "disparity": axes.disparity_best}
    losses = {
        f"{part}{axis}_loss": as_loss(
            fronts[f"{part}{axis}"].to_numpy(dtype=np.float64), best[axis]
        )
        for part in ("", "selection_")
        for axis in ("error", "disparity")
    }
    return fronts.assign(**losses).dropna(subset=LOSSES)


def baseline_points(fronts: pd.DataFrame, axes: Axes, baseline: str, /) -> pd.DataFrame:
    """The baseline's point in every split and seed: its least error on selection rows.

    One row per dataset, target, protected attribute, split and seed, with the columns of the
    fronts table and each coordinate as a loss (``error_loss`` …).
    """
    points = with_losses(fronts[fronts["method"] == baseline], axes)
    points = points.sort_values([*PLACE, *REPEAT, "selection_error_loss", "value"])
    return points.drop_duplicates([*PLACE, *REPEAT]).reset_index(drop=True)


def matched_points(
    fronts: pd.DataFrame, axes: Axes, baseline: str, /, *, tolerance: float = MARGIN
) -> pd.DataFrame:
    """What one would deploy of each method, chosen on selection rows alone.

    Parameters
    ----------
    fronts
        The fronts table for `axes`.
    baseline
        Method that the others are held against, split by split and seed by seed.
    tolerance
        A trial is within reach if its error on selection rows exceeds the baseline's by no
        more than this share.

    Returns
    -------
    DataFrame
        One row per dataset, target, protected attribute, method, split and seed. value: of the
        trial with the least disparity on selection rows, as other trainings saw them (see
        `fronts_table`), among those within reach; within: False where none is, and the most
        accurate trial stands in; tried: number of usable trials there were to choose from;
        base_value: the baseline's own. Then what `measured` adds for the same axes.
    """
    base = baseline_points(fronts, axes, baseline)
    base = base[[*PLACE, *REPEAT, "value", "selection_error_loss"]].rename(
        columns={"value": "base_value", "selection_error_loss": "base_loss"}
    )
    run = [*METHOD, *REPEAT]
    points = with_losses(fronts[fronts["method"] != baseline], axes)
    points = points.assign(tried=points.groupby(run)["value"].transform("size"))
    points = points.merge(base, on=[*PLACE, *REPEAT], how="inner")
    limit = points["base_loss"] + tolerance * points["base_loss"].abs()
    within = points["selection_error_loss"] <= limit
    first = points["selection_disparity_loss"].where(within, points["selection_error_loss"])
    points = points.assign(within=within, beyond=~within, first=first)
    points = points.sort_values([*run, "beyond", "first", "selection_error_loss", "value"])
    chosen = points.drop_duplicates(run)[list(CHOSEN)]
    return measured(chosen, fronts, axes, baseline)


def measured(
    chosen: pd.DataFrame, fronts: pd.DataFrame, axes: Axes, baseline: str, /
) -> pd.DataFrame:
    """Chosen trials, and the baseline's, in the metrics of `axes` on test rows.

    `axes` need not be those the trials were chosen by. Trials without a value are left out.

    Returns
    -------
    DataFrame
        `chosen` with error, disparity and their losses, and the baseline's (``base_…``).
    """
    return measured_among(chosen, with_losses(fronts, axes), baseline)


def measured_among(
    chosen: pd.DataFrame, points: pd.DataFrame, baseline: str, /, *, by: Sequence[str] = ()
) -> pd.DataFrame:
    """`measured`, with the trials' losses at hand.

    Parameters
    ----------
    points
        Usable trials with their losses, see `with_losses`.
    by
        Columns of `points` that keep several such tables apart; the result has them too.
    """
    keys = [*METHOD, *REPEAT, "value"]
    kept = ["error", "disparity", "error_loss", "disparity_loss"]
    points = points[[*by, *keys, *kept]]
    base = points[points["method"] == baseline].drop(columns="method")
    base = base.rename(columns={name: f"base_{name}" for name in ("value", *kept)})
    both = chosen.merge(points, on=keys, how="inner")
    return both.merge(base, on=[*by, *PLACE, *REPEAT, "base_value"], how="inner")
