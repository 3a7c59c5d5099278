"""Intervals for means over repeated splits, and what a design could have detected."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Literal

import numpy as np
from scipy import optimize, special, stats

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from fairbench.dataset import FloatArray, IntArray
    from fairbench.protocol import Split

__all__ = [
    "Interval",
    "bca_interval",
    "below_zero",
    "corrected_interval",
    "corrected_se",
    "deviation_limits",
    "posterior",
    "scaled_interval",
    "smallest_detectable",
    "split_ratio",
]


Scale = Literal["plain", "log", "logit"]

_SCALES: dict[str, tuple[Callable[[float], float], ...]] = {
    "log": (np.log, lambda x: 1 / x, np.exp),
    "logit": (special.logit, lambda x: 1 / (x * (1 - x)), special.expit),
}
"""There, its derivative, and back."""


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


def split_ratio(splits: Sequence[Split], clusters: IntArray | None, /) -> float:
    """Test rows over training rows, mean over splits; clusters are counted where there are any."""

    def size(index: IntArray) -> int:
        return len(index) if clusters is None else len(np.unique(clusters[index]))

    return float(np.mean([size(split.test) / size(split.train) for split in splits]))


def corrected_se(deviation: float, splits: int, ratio: float, /) -> float:
    """Standard error of a mean over splits that share rows: ``s √(1/J + ratio)``.

    Nadeau and Bengio 2003, Inference for the generalization error, eq. 12: `ratio` is the
    number of test rows over the number of training rows. Splits of one dataset are not
    independent, and the plain ``s/√J`` goes to zero by mere repetition.
    """
    return deviation * float(np.sqrt(1.0 / splits + ratio))


def corrected_interval(
    values: FloatArray, ratio: float, /, *, confidence: float = 0.95
) -> Interval:
    """Corrected resampled t interval of the mean of `values`, one per split.

    Parameters
    ----------
    values : (J,)
        Mostly paired differences; NaN values are left out.
    ratio
        Test rows over training rows of a split.

    Returns
    -------
    Interval
        With J − 1 degrees of freedom. Without limits for fewer than two values.
    """
    known = values[np.isfinite(values)]
    n = len(known)
    if n == 0:
        return Interval(np.nan, np.nan, np.nan, np.nan, 0)
    mean = float(known.mean())
    if n == 1:
        return Interval(mean, np.nan, np.nan, np.nan, 1)
    error = corrected_se(float(known.std(ddof=1)), n, ratio)
    if error == 0:
        return Interval(mean, mean, mean, float(mean == 0), n)
    # Student's t by its functions: scipy's distribution objects take a hundred times as long.
    half = float(special.stdtrit(n - 1, 0.5 + confidence / 2)) * error
    p = 2 * float(special.stdtr(n - 1, -abs(mean) / error))
    return Interval(mean, mean - half, mean + half, p, n)


def below_zero(values: FloatArray, ratio: float, /) -> float:
    """One-sided p-value of the mean of `values` (J,) not being below zero; NaN for fewer than two.

    The corrected resampled t test of `corrected_interval`. Small says that the mean is below.
    """
    known = values[np.isfinite(values)]
    if len(known) < 2:
        return float("nan")
    mean = float(known.mean())
    error = corrected_se(float(known.std(ddof=1)), len(known), ratio)
    if error == 0:
        return float(mean >= 0)
    return float(special.stdtr(len(known) - 1, mean / error))


def posterior(values: FloatArray, ratio: float, rope: float, /) -> tuple[float, float]:
    """Probabilities that the true mean of `values` (J,) lies below −rope, and within ±rope.

    The Bayesian correlated t test (Corani and Benavoli 2015; Benavoli, Corani, Demšar and
    Zaffalon 2017, Time for a change, eq. 3): under a flat prior the mean has Student's t
    distribution about the average, with J − 1 degrees of freedom and the scale that
    `corrected_se` gives; ±rope is the region of practical equivalence. NaN for fewer than two.
    """
    known = values[np.isfinite(values)]
    if len(known) < 2:
        return float("nan"), float("nan")
    mean = float(known.mean())
    error = corrected_se(float(known.std(ddof=1)), len(known), ratio)
    if error == 0:
        return float(mean < -rope), float(abs(mean) <= rope)
    below = float(special.stdtr(len(known) - 1, (-rope - mean) / error))
    return below, float(special.stdtr(len(known) - 1, (rope - mean) / error)) - below


def scaled_interval(
    values: FloatArray, ratio: float, scale: Scale, /, *, confidence: float = 0.95
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
        away from the nearer one. No p-value.
    """
    known = values[np.isfinite(values)]
    plain = corrected_interval(known, ratio, confidence=confidence)
    if scale == "plain" or not plain.low < plain.high:
        return Interval(plain.mean, plain.low, plain.high, np.nan, plain.n)
    forth, slope, back = _SCALES[scale]
    # The delta method at the mean: the spread of the values themselves, which transformed
    # values at a bound would exaggerate, on the scale whose bounds are out of reach.
    centre = float(forth(plain.mean))
    half = (plain.high - plain.mean) * float(slope(plain.mean))
    return Interval(
        plain.mean, float(back(centre - half)), float(back(centre + half)), np.nan, plain.n
    )


def deviation_limits(free: int, /, *, confidence: float = 0.95) -> tuple[float, float]:
    """Factors to a standard deviation estimated with `free` degrees of freedom: its interval."""
    tail = (1 - confidence) / 2
    low, high = float(stats.chi2.ppf(1 - tail, free)), float(stats.chi2.ppf(tail, free))
    return (free / low) ** 0.5, (free / high) ** 0.5


def smallest_detectable(
    deviation: float,
    splits: int,
    ratio: float,
    /,
    *,
    comparisons: int = 1,
    estimated: int = 0,
    power: float = 0.8,
    level: float = 0.05,
) -> float:
    """The smallest true difference that this design finds with probability `power`.

    Parameters
    ----------
    deviation
        Standard deviation over splits of the paired differences.
    splits, ratio
        As in `corrected_interval`, whose test it is: two-sided at `level`.
    comparisons
        Tests that Holm's method adjusts together: the most conservative step, level over
        `comparisons`, must be passed.
    estimated
        Degrees of freedom that `deviation` was estimated with; 0 where it is known. A
        deviation estimated too small promises too much as often as one too large promises
        too little, but loses more by it: the factor is such that the power is right on average.

    Returns
    -------
    float
        In the units of `deviation`; NaN for fewer than two splits.
    """
    if splits < 2 or not np.isfinite(deviation):
        return float("nan")
    shift = _detectable_shift(splits - 1, power, level / comparisons, estimated)
    return shift * corrected_se(deviation, splits, ratio)


@cache
def _detectable_shift(free: int, power: float, level: float, estimated: int) -> float:
    """The smallest detectable difference in (estimated) standard errors."""
    limit = float(stats.t.ppf(1 - level / 2, free))
    scales = np.ones(1)
    if estimated:
        middle = (np.arange(100) + 0.5) / 100
        scales = np.sqrt(stats.chi2.ppf(middle, estimated) / estimated)

    def shortfall(shift: float) -> float:
        return float(np.mean(stats.nct.sf(limit, free, shift * scales))) - power

    high = limit + 5.0
    while shortfall(high) < 0:
        high *= 2
    return float(optimize.brentq(shortfall, 0.0, high, xtol=1e-6))


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
