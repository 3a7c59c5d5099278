"""Differences to the baseline over splits: estimates, intervals, tests. The words come later."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import numpy as np
import pandas as pd

from fairbench.analyze.columns import METHOD
from fairbench.analyze.comparisons import wilcoxon
from fairbench.analyze.intervals import (
    Correction,
    below_zero,
    corrected_interval,
    posterior,
)
from fairbench.analyze.primary import DISPARITY_MARGIN, MARGIN

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fairbench.dataset import FloatArray

__all__ = ["compare", "paired"]


def paired(points: pd.DataFrame, /, *, by: Sequence[str] = ()) -> pd.DataFrame:
    """Differences to the baseline by split: means over seeds of `matched_points`.

    Columns dataset, target, protected, method, split, disparity_difference and error_difference
    (losses of the method minus the baseline's: below zero is better), base_disparity and
    base_error (losses), within (share of seeds within reach), tried; seeds: how many;
    seed_variance and base_seed_variance: what seeds contribute to the variance of
    disparity_difference, and the variance of the baseline's disparity over single seeds (NaN
    with one seed); before them the columns `by`, which keep several tables apart.
    """
    named = points.assign(
        disparity_difference=points["disparity_loss"] - points["base_disparity_loss"],
        error_difference=points["error_loss"] - points["base_error_loss"],
        base_disparity=points["base_disparity_loss"],
        base_error=points["base_error_loss"],
        within=points["within"].astype(np.float64),
    )
    columns = ["disparity_difference", "error_difference"]
    columns += ["base_disparity", "base_error", "within", "tried"]
    grouped = named.groupby([*by, *METHOD, "split"], as_index=False)
    means = grouped[columns].mean()
    variances = grouped[["disparity_difference", "base_disparity"]].var(ddof=1)
    seeds = grouped.size()["size"]
    return means.assign(
        seeds=seeds,
        seed_variance=variances["disparity_difference"] / seeds,
        base_seed_variance=variances["base_disparity"],
    )


_COMPARED = (
    "splits",
    "distinct",
    "within",
    "tried",
    "base_disparity",
    "difference",
    "low",
    "high",
    "p",
    "wilcoxon_p",
    "fairer_on",
    "equal_p",
    "effect_size",
    "p_fairer",
    "p_same",
    "deviation",
    "correction",
    "df",
    "base_error",
    "error_difference",
    "error_low",
    "error_high",
    "error_p",
    "margin_p",
    "equal_error_p",
)


def compare(
    pairs: pd.DataFrame,
    corrections: Mapping[str, Correction],
    /,
    *,
    margin: float = MARGIN,
    disparity_margin: float = DISPARITY_MARGIN,
    by: Sequence[str] = (),
) -> pd.DataFrame:
    """Mean differences to the baseline over splits, with corrected intervals.

    Parameters
    ----------
    pairs
        From `paired`.
    corrections
        What the splits of each dataset have in common.
    margin, disparity_margin
        Differences up to these shares of the baseline's error, or disparity, count as none.
    by
        Columns that keep several tables apart, as in `paired`.

    Returns
    -------
    DataFrame
        One row per dataset, target, protected attribute and method. splits: number of them;
        distinct: of different ones; within: on how many at least half of the seeds were within
        reach; tried: most trials per split and seed; difference, low, high, p: of the disparity
        loss (where all differences are one value, as they can be of a metric that counts, Student's
        t knows no noise, and p is that of the sign test); fairer_on: splits with a difference below
        zero; equal_p: of the difference lying beyond the disparity margin (the larger of two
        one-sided p-values); effect_size: the difference in standard deviations of the baseline over
        seeds; p_fairer, p_same: see `posterior`, with the margin as region of practical
        equivalence; deviation, correction, df: standard deviation of the differences over splits,
        and what `corrections` says;
        error_…: of the error loss; margin_p: one-sided, of the error exceeding the baseline's by
        the margin or more; equal_error_p: like equal_p; base_…: the baseline's mean losses.
    """
    rows = []
    column = {str(name): pairs[name].to_numpy() for name in pairs}
    # Positions rather than frames: there is a row for every metric, method, view and dataset.
    keys = [*by, *METHOD]
    for key, index in sorted(pairs.groupby(keys).indices.items()):
        names = dict(zip(keys, cast("tuple[str, ...]", key), strict=True))
        part = {name: values[index] for name, values in column.items()}
        correction = corrections[names["dataset"]]
        numbers = (
            len(index),
            int(min(len(index), correction.distinct)),
            int((part["within"] >= 0.5).sum()),
            int(part["tried"].max()),
            *_disparity(part, correction, disparity_margin),
            *_error(part, correction, margin),
        )
        rows.append((*names.values(), *numbers))
    return pd.DataFrame(rows, columns=[*by, *METHOD, *_COMPARED])


def _disparity(
    part: Mapping[str, FloatArray], correction: Correction, margin: float
) -> tuple[float, ...]:
    differences, base = part["disparity_difference"], part["base_disparity"]
    found = corrected_interval(differences, correction.ratio, df=correction.df)
    room = margin * np.abs(base)
    fairer, same = posterior(differences, correction, float(room.mean()))
    seed_sd = float(np.sqrt(part["base_seed_variance"].mean()))
    return (
        float(base.mean()),
        found.mean,
        found.low,
        found.high,
        0.5 ** (len(differences) - 1) if _are_one(differences) else found.p,
        wilcoxon(differences),
        int((differences < 0).sum()),
        max(
            below_zero(differences - room, correction), below_zero(-differences - room, correction)
        ),
        found.mean / seed_sd if seed_sd > 0 else np.nan,
        fairer,
        same,
        float(differences.std(ddof=1)) if len(differences) > 1 else np.nan,
        correction.ratio,
        correction.free(len(differences)),
    )


def _are_one(differences: FloatArray) -> bool:
    """Whether several differences are one value other than zero, but for rounding."""
    largest = float(np.abs(differences).max())
    return len(differences) > 1 and largest > 0 and float(np.ptp(differences)) <= 1e-9 * largest


def _error(
    part: Mapping[str, FloatArray], correction: Correction, margin: float
) -> tuple[float, ...]:
    differences, base = part["error_difference"], part["base_error"]
    found = corrected_interval(differences, correction.ratio, df=correction.df)
    room = margin * np.abs(base)
    exceeds = below_zero(differences - room, correction)
    return (
        float(base.mean()),
        found.mean,
        found.low,
        found.high,
        found.p,
        exceeds,
        max(exceeds, below_zero(-differences - room, correction)),
    )
