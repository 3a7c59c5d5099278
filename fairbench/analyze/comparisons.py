"""Tests over splits and datasets: multiplicity, ranks, critical difference."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from scipy import stats

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from fairbench.dataset import FloatArray

__all__ = ["FEWEST_DATASETS", "Ranking", "holm", "ranking", "wilcoxon"]

FEWEST_DATASETS = 5
"""Datasets that a Friedman test needs: below it the ranks say next to nothing."""


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
    found = stats.wilcoxon(moved, method="asymptotic")  # type: ignore[call-overload]
    return float(found.pvalue)


def _exact_wilcoxon(moved: FloatArray) -> float:
    """The exact p-value of differences (n,) without zeros or ties."""
    ranks = stats.rankdata(np.abs(moved))
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
class Ranking:
    """Methods ranked across datasets.

    Attributes
    ----------
    methods, ranks
        Mean rank of each method, the best first; rank 1 is the least loss.
    datasets
        Number of datasets ranked over.
    p
        Friedman's test of all methods being alike.
    critical_difference
        Nemenyi: mean ranks closer than this are not told apart at 5 %.
    """

    methods: tuple[str, ...]
    ranks: tuple[float, ...]
    datasets: int
    p: float
    critical_difference: float


def ranking(losses: pd.DataFrame, /, *, level: float = 0.05) -> Ranking | None:
    """Friedman's test and Nemenyi's critical difference (Demšar 2006).

    Parameters
    ----------
    losses
        One row per dataset, one column per method, less being better. Datasets on which a
        method has no value are left out.

    Returns
    -------
    Ranking or None
        None for fewer than `FEWEST_DATASETS` datasets or fewer than three methods.
    """
    complete = losses.dropna()
    n, k = complete.shape
    if n < FEWEST_DATASETS or k < 3:
        return None
    ranks = np.asarray(stats.rankdata(complete.to_numpy(), axis=1)).mean(axis=0)
    order = np.argsort(ranks, kind="stable")
    q = float(stats.studentized_range.ppf(1 - level, k, np.inf)) / np.sqrt(2)
    return Ranking(
        tuple(str(complete.columns[i]) for i in order),
        tuple(float(ranks[i]) for i in order),
        n,
        _friedman(complete.to_numpy().T),
        float(q * np.sqrt(k * (k + 1) / (6 * n))),
    )


def _friedman(samples: Sequence[FloatArray] | FloatArray) -> float:
    if np.ptp(np.asarray(samples), axis=0).max() == 0:  # all tied on every dataset
        return 1.0
    return float(stats.friedmanchisquare(*samples).pvalue)
