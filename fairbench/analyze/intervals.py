"""Intervals for means over repeated splits, and what a design could have detected."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Literal

import numpy as np
import scipy

if TYPE_CHECKING:
    from collections.abc import Callable

    from fairbench.dataset import FloatArray

__all__ = [
    "Correction",
    "Interval",
    "Scale",
    "below_zero",
    "corrected_interval",
    "corrected_se",
    "deviation_limits",
    "posterior",
    "scaled_interval",
    "smallest_detectable",
]


Scale = Literal["plain", "log", "logit"]

_SCALES: dict[str, tuple[Callable[[float], float], ...]] = {
    "log": (np.log, lambda x: 1 / x, np.exp),
    "logit": (
        lambda x: float(scipy.special.logit(x)),
        lambda x: 1 / (x * (1 - x)),
        lambda x: float(scipy.special.expit(x)),
    ),
}
"""There, its derivative, and back."""

_ENDS = {"log": np.inf, "logit": 1.0}
"""Where each scale ends; all begin at 0."""


@dataclass(frozen=True, slots=True)
class Correction:
    """What the splits of one dataset have in common, as far as a test over them asks.

    Attributes
    ----------
    ratio, df
        `Overlap.ratio` and `Overlap.df`.
    distinct
        Number of different test sets.
    """

    ratio: float
    df: float = float("inf")
    distinct: float = float("inf")

    def free(self, splits: int, /) -> float:
        """Degrees of freedom of a standard deviation over `splits` of these splits."""
        return min(self.df, splits - 1)


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
    half = float(scipy.special.stdtrit(free, 0.5 + confidence / 2)) * error
    p = 2 * float(scipy.special.stdtr(free, -abs(mean) / error))
    return Interval(mean, mean - half, mean + half, p, n)


def below_zero(values: FloatArray, correction: Correction, /) -> float:
    """One-sided p-value of the mean of `values` (J,) not being below zero; small says it is.

    The corrected resampled t test of `corrected_interval`; NaN for fewer than two values.
    """
    return _above(values, correction, 0.0)


def _above(values: FloatArray, correction: Correction, limit: float) -> float:
    """Student's t distribution at the mean less `limit` in standard errors; NaN where unknown."""
    known = values[np.isfinite(values)]
    free = correction.free(len(known))
    if free <= 0 or not np.isfinite(correction.ratio):
        return float("nan")
    mean = float(known.mean())
    error = corrected_se(float(known.std(ddof=1)), len(known), correction.ratio)
    if error == 0:
        return float(mean >= limit)
    return float(scipy.special.stdtr(free, (mean - limit) / error))


def posterior(values: FloatArray, correction: Correction, rope: float, /) -> tuple[float, float]:
    """Probabilities that the true mean of `values` (J,) lies below −rope, and within ±rope.

    The Bayesian correlated t test (Corani and Benavoli 2015; Benavoli, Corani, Demšar and
    Zaffalon 2017, Time for a change, eq. 3): under a flat prior the mean has Student's t
    distribution about the average, with the degrees of freedom and the scale of
    `corrected_interval`; ±rope is the region of practical equivalence. NaN where that has no
    limits.
    """
    below = 1 - _above(values, correction, -rope)
    return below, 1 - _above(values, correction, rope) - below


def scaled_interval(
    values: FloatArray, correction: Correction, scale: Scale, /, *, confidence: float = 0.95
) -> Interval:
    """Corrected t interval of a bounded quantity, computed where it is closer to normal.

    Parameters
    ----------
    values : (J,)
        One per split. NaN values are left out.
    scale
        ``logit`` for shares in [0, 1], ``log`` for what is never negative, ``plain`` for
        differences.

    Returns
    -------
    Interval
        Mean of the values themselves, and an interval that stays inside the bounds and leans
        away from the nearer one; a mean outside of them has the plain interval. No p-value.
    """
    plain = corrected_interval(values, correction.ratio, df=correction.df, confidence=confidence)
    low, high = plain.low, plain.high
    if scale != "plain" and low < high and 0 < plain.mean < _ENDS[scale]:
        forth, slope, back = _SCALES[scale]
        # The delta method: the spread of the values themselves, which values at a bound would
        # exaggerate on the other scale, about a mean that is inside the bounds.
        centre = float(forth(plain.mean))
        half = (high - plain.mean) * float(slope(plain.mean))
        low, high = float(back(centre - half)), float(back(centre + half))
    return Interval(plain.mean, low, high, np.nan, plain.n)


def deviation_limits(free: float, /, *, confidence: float = 0.95) -> tuple[float, float]:
    """Factors to a standard deviation estimated with `free` degrees of freedom: its interval."""
    tail = (1 - confidence) / 2
    low, high = (float(scipy.stats.chi2.ppf(p, free)) for p in (1 - tail, tail))
    return (free / low) ** 0.5, (free / high) ** 0.5


def smallest_detectable(
    deviation: float,
    splits: int,
    ratio: float,
    /,
    *,
    df: float | None = None,
    comparisons: int = 1,
    estimated: bool = False,
    power: float = 0.8,
    level: float = 0.05,
) -> float:
    """The smallest true difference that this design finds with probability `power`.

    Parameters
    ----------
    deviation
        Standard deviation over splits of the paired differences.
    splits, ratio, df
        As in `corrected_interval`, whose test it is: two-sided at `level`.
    comparisons
        Tests that Holm's method adjusts together: the most conservative step, level over
        `comparisons`, must be passed.
    estimated
        Whether `deviation` is an estimate, with the degrees of freedom of the test. One that is
        too small promises too much as often as one that is too large promises too little, but
        power is lost faster than won: the factor is such that it is right on average.

    Returns
    -------
    float
        In the units of `deviation`; NaN for fewer than two splits.
    """
    free = splits - 1 if df is None else min(df, splits - 1)
    if free <= 0 or not np.isfinite(deviation):
        return float("nan")
    shift = _detectable_shift(round(free, 3), power, level / comparisons, estimated)
    return shift * corrected_se(deviation, splits, ratio)


@cache
def _detectable_shift(free: float, power: float, level: float, estimated: bool) -> float:
    """The smallest detectable difference in (estimated) standard errors."""
    limit = float(scipy.stats.t.ppf(1 - level / 2, free))
    scales = np.ones(1)
    if estimated:
        middle = (np.arange(100) + 0.5) / 100
        scales = np.sqrt(scipy.stats.chi2.ppf(middle, free) / free)

    def shortfall(shift: float) -> float:
        return float(np.mean(scipy.stats.nct.sf(limit, free, shift * scales))) - power

    high = limit + 5.0
    while shortfall(high) < 0:
        high *= 2
    return float(scipy.optimize.brentq(shortfall, 0.0, high, xtol=1e-6))
