"""The interval of a difference that is not paired."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import scipy

from fairbench.analyze import Interval

if TYPE_CHECKING:
    from fairbench.dataset import FloatArray

__all__ = ["unpaired_interval"]


def unpaired_interval(
    before: FloatArray,
    now: FloatArray,
    ratios: tuple[float, float],
    /,
) -> Interval:
    """Welch's 95 % interval of mean(now) − mean(before), each variance corrected for shared rows.

    Welch 1947, with Nadeau and Bengio's variance s² (1/J + ratio) in place of s²/J on both
    sides, see `fairbench.analyze.corrected_interval`.

    Parameters
    ----------
    before, now : (J,), (K,)
        One value per split.
    ratios
        Test rows over training rows of `before` and of `now`.

    Returns
    -------
    Interval
        n is the smaller of J and K. Without limits where either is a single value.
    """
    n = min(len(before), len(now))
    mean = float(now.mean() - before.mean())
    if n < 2:
        return Interval(mean, np.nan, np.nan, np.nan, n)
    sides = [
        (float(side.var(ddof=1)) * (1 / len(side) + ratio), len(side) - 1)
        for side, ratio in zip((before, now), ratios, strict=True)
    ]
    variance = sum(part for part, _ in sides)
    if variance == 0:
        return Interval(mean, mean, mean, float(mean == 0), n)
    # Shares first: squares of tiny variances would vanish.
    df = 1 / sum((part / variance) ** 2 / free for part, free in sides)
    half = float(scipy.stats.t.ppf(0.975, df)) * float(np.sqrt(variance))
    p = 2 * float(scipy.stats.t.sf(abs(mean) / np.sqrt(variance), df))
    return Interval(mean, mean - half, mean + half, p, n)
