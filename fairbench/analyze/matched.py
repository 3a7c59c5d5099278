"""Matched comparison: the fairest point of a method that is about as accurate as the baseline."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import numpy as np
import pandas as pd

from fairbench.analyze.axes import Axes, as_loss
from fairbench.analyze.comparisons import wilcoxon
from fairbench.analyze.intervals import corrected_interval, smallest_detectable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = [
    "CHOSEN",
    "LOSSES",
    "METHOD",
    "PLACE",
    "TOLERANCE",
    "baseline_points",
    "compare",
    "matched_points",
    "measured",
    "measured_among",
    "paired",
    "with_losses",
]

TOLERANCE = 0.05
"""How far above the baseline's validation error, as a share of it, a point may be."""

PLACE = ["dataset", "target", "protected"]
METHOD = [*PLACE, "method"]
_REPEAT = ["split", "seed"]
CHOSEN = (*METHOD, *_REPEAT, "value", "within", "tried", "base_value")
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
    points = points.sort_values([*PLACE, *_REPEAT, "selection_error_loss", "value"])
    return points.drop_duplicates([*PLACE, *_REPEAT]).reset_index(drop=True)


def matched_points(
    fronts: pd.DataFrame, axes: Axes, baseline: str, /, *, tolerance: float = TOLERANCE
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
        trial with the least disparity on selection rows among those within reach; within:
        False where none is, and the most accurate trial stands in; tried: number of usable
        trials there were to choose from; base_value: the baseline's own. Then what `measured`
        adds for the same axes.
    """
    base = baseline_points(fronts, axes, baseline)
    base = base[[*PLACE, *_REPEAT, "value", "selection_error_loss"]].rename(
        columns={"value": "base_value", "selection_error_loss": "base_loss"}
    )
    run = [*METHOD, *_REPEAT]
    points = with_losses(fronts[fronts["method"] != baseline], axes)
    points = points.assign(tried=points.groupby(run)["value"].transform("size"))
    points = points.merge(base, on=[*PLACE, *_REPEAT], how="inner")
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
        `chosen` with error, disparity and their losses, the baseline's (``base_…``), and
        near_loss: the mean disparity loss of the trials at the neighbouring trade-off values.
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
    keys = [*METHOD, *_REPEAT, "value"]
    kept = ["error", "disparity", "error_loss", "disparity_loss"]
    points = points.sort_values([*by, *keys], kind="stable").reset_index(drop=True)
    losses = points.groupby([*by, *keys[:-1]], sort=False)["disparity_loss"]
    beside = pd.concat([losses.shift(1), losses.shift(-1)], axis=1)
    points = points.assign(near_loss=beside.mean(axis=1))[[*by, *keys, *kept, "near_loss"]]
    base = points[points["method"] == baseline].drop(columns=["method", "near_loss"])
    base = base.rename(columns={name: f"base_{name}" for name in ("value", *kept)})
    both = chosen.merge(points, on=keys, how="inner")
    return both.merge(base, on=[*by, *PLACE, *_REPEAT, "base_value"], how="inner")


def paired(points: pd.DataFrame, /, *, by: Sequence[str] = ()) -> pd.DataFrame:
    """Differences to the baseline by split: means over seeds of `matched_points`.

    Columns dataset, target, protected, method, split, disparity_difference, error_difference
    and near_difference (losses of the method minus the baseline's: below zero is better),
    base_disparity and base_error (losses), within (share of seeds within reach), tried; before
    them the columns `by`, which keep several tables apart.
    """
    named = points.assign(
        disparity_difference=points["disparity_loss"] - points["base_disparity_loss"],
        error_difference=points["error_loss"] - points["base_error_loss"],
        near_difference=points["near_loss"] - points["base_disparity_loss"],
        base_disparity=points["base_disparity_loss"],
        base_error=points["base_error_loss"],
        within=points["within"].astype(np.float64),
    )
    columns = ["disparity_difference", "error_difference", "near_difference"]
    columns += ["base_disparity", "base_error", "within", "tried"]
    return named.groupby([*by, *METHOD, "split"], as_index=False)[columns].mean()


_COMPARED = [
    *METHOD,
    "splits",
    "within",
    "tried",
    "base_disparity",
    "difference",
    "low",
    "high",
    "p",
    "wilcoxon_p",
    "fairer_on",
    "near_difference",
    "near_p",
    "base_error",
    "error_difference",
    "error_low",
    "error_high",
    "detectable",
]


def compare(
    pairs: pd.DataFrame, ratios: Mapping[str, float], /, *, by: Sequence[str] = ()
) -> pd.DataFrame:
    """Mean differences to the baseline over splits, with corrected intervals.

    Parameters
    ----------
    pairs
        From `paired`.
    ratios
        Test rows over training rows, by dataset.
    by
        Columns that keep several tables apart, as in `paired`.

    Returns
    -------
    DataFrame
        One row per dataset, target, protected attribute and method. splits: number of them;
        within: on how many at least half of the seeds were within reach; tried: most trials
        per split and seed; difference, low, high, p: of the disparity loss; fairer_on: splits
        with a difference below zero; near_difference, near_p: the same at neighbouring values;
        error_…: of the error loss; base_…: the baseline's mean losses; detectable: smallest
        difference found with 80 % power at the spread that was seen.
    """
    rows = []
    column = {name: pairs[name].to_numpy() for name in pairs}
    # Positions rather than frames: there is a row for every metric, method, view and dataset.
    keys = [*by, *METHOD]
    for key, index in sorted(pairs.groupby(keys).indices.items()):
        names = dict(zip(keys, cast("tuple[str, ...]", key), strict=True))
        ratio = ratios[names["dataset"]]
        part = {name: values[index] for name, values in column.items()}
        differences = part["disparity_difference"]
        disparity = corrected_interval(differences, ratio)
        error = corrected_interval(part["error_difference"], ratio)
        near = corrected_interval(part["near_difference"], ratio)
        deviation = float(differences.std(ddof=1)) if len(index) > 1 else np.nan
        rows.append(
            (
                *names.values(),
                len(index),
                int((part["within"] >= 0.5).sum()),
                int(part["tried"].max()),
                part["base_disparity"].mean(),
                disparity.mean,
                disparity.low,
                disparity.high,
                disparity.p,
                wilcoxon(differences),
                int((differences < 0).sum()),
                near.mean,
                near.p,
                part["base_error"].mean(),
                error.mean,
                error.low,
                error.high,
                smallest_detectable(deviation, len(index), ratio),
            )
        )
    return pd.DataFrame(rows, columns=[*by, *_COMPARED])
