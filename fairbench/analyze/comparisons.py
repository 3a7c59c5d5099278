"""Tests over splits and datasets: multiplicity, signed ranks, comparisons over datasets."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
import scipy

if TYPE_CHECKING:
    import pandas as pd

    from fairbench.dataset import FloatArray

__all__ = ["FEWEST_DATASETS", "Across", "across_datasets", "holm", "wilcoxon"]

FEWEST_DATASETS = 5
"""Datasets that a comparison over datasets needs: below it their spread is not known."""


def holm(p: FloatArray, /) -> FloatArray:
    """Holm's step-down adjustment (Holm 1979) of p-values (m,); NaN stays NaN and is not counted.

    Rejecting where the adjusted value is at most α keeps the chance of any false rejection
    among them at most α, however the tests depend on each other.
    """
    adjusted = np.full(len(p), np.nan)
    known = np.flatnonzero(np.isfinite(p))
    order = known[np.argsort(p[known], kind="stable")]
    steps = p[order] * np.arange(len(order), 0, -1)
    adjusted[order] = np.minimum(np.maximum.accumulate(steps), 1.0)
    return adjusted


def wilcoxon(differences: FloatArray, /) -> float:
    """Two-sided p-value of Wilcoxon's signed-rank test on paired differences (J,).

    A companion to the t interval that looks at ranks only. It knows nothing of shared rows,
    and with J splits it cannot go below 2^(1−J): 0.0625 for five. NaN without any value.
    """
    known = differences[np.isfinite(differences)]
    moved = known[known != 0]
    if not len(known):
        return float("nan")
    if not len(moved):
        return 1.0
    if len(np.unique(np.abs(moved))) == len(moved):
        return _exact_wilcoxon(moved)
    found = scipy.stats.wilcoxon(moved, method="asymptotic")  # type: ignore[call-overload]
    return float(found.pvalue)


def _exact_wilcoxon(moved: FloatArray) -> float:
    """The exact p-value of differences (n,) without zeros or ties.

    The same as ``scipy.stats.wilcoxon(method="exact")``, nine times as fast for five splits: every
    method is tested by every metric on every dataset.
    """
    ranks = scipy.stats.rankdata(np.abs(moved))
    positive = int(ranks[moved > 0].sum())
    chances = _rank_sums(len(moved))
    return float(min(1.0, 2 * min(chances[: positive + 1].sum(), chances[positive:].sum())))


@cache
def _rank_sums(n: int) -> FloatArray:
    """Chance of each sum of the ranks 1 … n, each of which counts with probability one half."""
    chances = np.ones(1)
    for rank in range(1, n + 1):
        without = np.pad(chances, (0, rank))
        chances = (without + np.pad(chances, (rank, 0))) / 2
    return chances


@dataclass(frozen=True, slots=True)
class Across:
    """One method compared with the baseline over datasets.

    Attributes
    ----------
    method
    datasets
        On how many it was compared.
    change, low, high
        Mean change of the disparity loss over datasets with its 95 % interval, in the unit that
        makes datasets comparable; below zero is fairer.
    p, adjusted_p
        Two-sided, and adjusted by Holm over the methods.
    lower_on
        Datasets with a change below zero.
    error_change, error_high, error_p
        Mean change of the error, as a share of the baseline's, its one-sided 95 % upper limit,
        and the one-sided p-value of its being at least the margin.
    """

    method: str
    datasets: int
    change: float
    low: float
    high: float
    p: float
    adjusted_p: float
    lower_on: int
    error_change: float
    error_high: float
    error_p: float


def across_datasets(
    changes: pd.DataFrame, errors: pd.DataFrame, /, *, margin: float
) -> tuple[Across, ...]:
    """Compare every method with the baseline, datasets being the observations.

    A dataset counts once, with one number, however many splits and seeds gave it: splits of one
    dataset share rows, and their spread says nothing of other datasets. Student's t of the
    changes keeps its level whatever their precision; a random-effects model (DerSimonian and
    Laird, Hartung and Knapp), which weights them by standard errors estimated from a few splits,
    does not (docs/evidence.md). Mean ranks have no level of their own to keep: a method's rank
    depends on which others are ranked with it (Benavoli, Corani and Mangili 2016, Should we
    really use post-hoc tests based on mean-ranks?).

    Parameters
    ----------
    changes, errors
        One row per dataset, one column per method: change of the disparity loss in a unit that
        is the same for all datasets, and change of the error loss as a share of the baseline's.
        NaN where a method was not compared.
    margin
        How much more error, as a share of the baseline's, counts as the same.

    Returns
    -------
    tuple of Across
        Of the methods with a value on at least `FEWEST_DATASETS` datasets, the least p first.
    """
    kept = [m for m in changes if changes[m].notna().sum() >= FEWEST_DATASETS]
    tests = {method: _mean(changes[method]) for method in kept}
    adjusted = holm(np.array([tests[method][3] for method in kept]))
    found = []
    for method, corrected in zip(kept, adjusted, strict=True):
        own = changes[method].dropna()
        error = errors[method].reindex(own.index).dropna()
        shares = error.to_numpy(dtype=np.float64)
        mean, se = float(shares.mean()), float(scipy.stats.sem(shares))
        df = len(shares) - 1
        error_p = (
            float(scipy.stats.t.sf((margin - mean) / se, df)) if se > 0 else float(mean >= margin)
        )
        found.append(
            Across(
                str(method),
                len(own),
                *tests[method],
                float(corrected),
                int((own < 0).sum()),
                mean,
                mean + float(scipy.stats.t.ppf(0.95, df)) * se,
                error_p,
            )
        )
    return tuple(sorted(found, key=lambda one: (one.p, one.method)))


def _mean(values: pd.Series[float]) -> tuple[float, float, float, float]:
    """Mean, 95 % interval and two-sided p-value over datasets."""
    known = values.dropna().to_numpy()
    if np.ptp(known) == 0:  # no spread: nothing to test by, and with zeros nothing to find
        return float(known[0]), float(known[0]), float(known[0]), float(known[0] == 0)
    found = scipy.stats.ttest_1samp(known, 0.0)
    limits = found.confidence_interval(0.95)
    return float(known.mean()), float(limits.low), float(limits.high), float(found.pvalue)
