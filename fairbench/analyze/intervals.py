"""Intervals for means over repeated splits, and what a design could have detected."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from scipy import optimize, special, stats

if TYPE_CHECKING:
    from fairbench.dataset import FloatArray

__all__ = [
    "Interval",
    "bca_interval",
    "corrected_interval",
    "corrected_se",
    "smallest_detectable",
]


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean with its interval.

    Attributes
    ----------
    mean, low, high
        In the units of the values; low and high are NaN where they cannot be known.
    p
        Two-sided p-value of the mean being zero; NaN where no test was made.
    n
        Number of values.
    """

    mean: float
    low: float
    high: float
    p: float
    n: int


def corrected_se(deviation: float, splits: int, ratio: float, /) -> float:
    """Standard error of a mean over splits that share rows: ``s √(1/J + ratio)``.

    Splits of one dataset are not independent, and the plain ``s/√J`` goes to zero by mere
    repetition. `ratio` is what `fairbench.analyze.Overlap` makes of the rows they share; for
    random splits the n_test/n_train of Nadeau and Bengio 2003, Inference for the generalization
    error, eq. 12.
    """
    return deviation * float(np.sqrt(1.0 / splits + ratio))


def corrected_interval(
    values: FloatArray, ratio: float, /, *, df: float | None = None, confidence: float = 0.95
) -> Interval:
    """Corrected resampled t interval of the mean of `values`, one per split.

    Parameters
    ----------
    values : (J,)
        Mostly paired differences; NaN values are left out.
    ratio, df
        `Overlap.ratio` and `Overlap.df` of the splits; J − 1 degrees of freedom without `df`.

    Returns
    -------
    Interval
        Without limits for fewer than two values, or fewer than two different splits.
    """
    known = values[np.isfinite(values)]
    n = len(known)
    if n == 0:
        return Interval(np.nan, np.nan, np.nan, np.nan, 0)
    mean = float(known.mean())
    free = n - 1 if df is None else min(df, n - 1)
    if n == 1 or free <= 0 or not np.isfinite(ratio):
        return Interval(mean, np.nan, np.nan, np.nan, n)
    error = corrected_se(float(known.std(ddof=1)), n, ratio)
    if error == 0:
        return Interval(mean, mean, mean, float(mean == 0), n)
    # Student's t by its functions: scipy's distribution objects take a hundred times as long.
    half = float(special.stdtrit(free, 0.5 + confidence / 2)) * error
    p = 2 * float(special.stdtr(free, -abs(mean) / error))
    return Interval(mean, mean - half, mean + half, p, n)


def smallest_detectable(
    deviation: float,
    splits: int,
    ratio: float,
    /,
    *,
    power: float = 0.8,
    confidence: float = 0.95,
) -> float:
    """The smallest true difference that this design finds with probability `power`.

    Parameters
    ----------
    deviation
        Standard deviation over splits of the paired differences.
    splits, ratio
        As in `corrected_interval`, whose test it is: two-sided at ``1 - confidence``.

    Returns
    -------
    float
        In the units of `deviation`; NaN for fewer than two splits.
    """
    if splits < 2 or not np.isfinite(deviation):
        return float("nan")
    return _detectable_shift(splits - 1, power, confidence) * corrected_se(deviation, splits, ratio)


@cache
def _detectable_shift(df: int, power: float, confidence: float) -> float:
    """The smallest detectable difference in standard errors."""
    limit = float(stats.t.ppf(0.5 + confidence / 2, df))

    def shortfall(shift: float) -> float:
        return float(stats.nct.sf(limit, df, shift)) - power

    return float(optimize.brentq(shortfall, 0.0, limit + 20.0, xtol=1e-8))


def bca_interval(
    values: FloatArray, /, *, confidence: float = 0.95, resamples: int = 2000
) -> Interval:
    """Bias-corrected and accelerated bootstrap interval of the mean, resampling `values`.

    For quantities that are far from normal, such as hypervolumes. It speaks of these splits
    only: unlike `corrected_interval` it does not allow for the rows they share. The draws are
    the same at every call.

    Returns
    -------
    Interval
        Without a p-value; without limits for fewer than three values.
    """
    known = values[np.isfinite(values)]
    n = len(known)
    mean = float(known.mean()) if n else np.nan
    if n < 3:
        return Interval(mean, np.nan, np.nan, np.nan, n)
    if np.ptp(known) == 0:
        return Interval(mean, mean, mean, np.nan, n)
    found = stats.bootstrap(
        (known,),
        np.mean,
        n_resamples=resamples,
        confidence_level=confidence,
        method="BCa",
        rng=np.random.default_rng(0),
    ).confidence_interval
    return Interval(mean, float(found.low), float(found.high), np.nan, n)
