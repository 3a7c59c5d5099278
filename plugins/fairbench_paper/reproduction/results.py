"""The results of a reproduction: frozen, and the same in JSON."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = [
    "AtAlpha",
    "Comparison",
    "Correlation",
    "Curve",
    "DatasetResult",
    "Front",
    "Histogram",
    "Honest",
    "Noise",
    "Pictures",
    "Quantity",
    "ReadingResult",
    "Results",
    "Spread",
    "Unit",
    "UnitResult",
]

Unit = Literal["mse", "rmse"]
"""What the columns under the heading RMSE are taken to hold."""


@dataclass(frozen=True, slots=True)
class Spread:
    """A quantity over splits: median, 5th and 95th percentile."""

    median: float
    low: float
    high: float
    n: int


@dataclass(frozen=True, slots=True)
class Quantity:
    """A figure of the paper beside ours.

    Parameters
    ----------
    percentile
        Where the paper's figure lies among ours: 0 below all, 100 above all.
    """

    name: str
    paper: float
    ours: Spread
    percentile: float


@dataclass(frozen=True, slots=True)
class AtAlpha:
    """A row of the paper's front beside our models of the same α."""

    alpha: float
    disparity: Quantity
    error: Quantity


@dataclass(frozen=True, slots=True)
class UnitResult:
    """The tables of one reading under one unit.

    Parameters
    ----------
    baseline
        Table 1 or 3.
    front
        What characterises the front in Table 2 or 4.
    at_alpha
        Its rows, where this reading has models of these α.
    distance
        Mean over `baseline` and `front` of |ln(paper / our median)|, each in units of its standard
        deviation over the splits of the centre reading: what varies much counts less.
    """

    unit: Unit
    baseline: tuple[Quantity, ...]
    front: tuple[Quantity, ...]
    at_alpha: tuple[AtAlpha, ...]
    distance: float


@dataclass(frozen=True, slots=True)
class Correlation:
    """Spearman's correlation with α: mean over splits (of Fisher's z), corrected 95 % interval.

    Parameters
    ----------
    rising
        Splits on which it is positive.
    """

    of: Literal["error", "disparity"]
    mean: float
    low: float | None
    high: float | None
    rising: int
    splits: int


@dataclass(frozen=True, slots=True)
class ReadingResult:
    """One reading of the text: both units, and what α does."""

    name: str
    says: str
    seeds: int
    alphas: int
    units: tuple[UnitResult, ...]
    correlations: tuple[Correlation, ...]

    def unit(self, unit: Unit, /) -> UnitResult:
        """The tables under one unit."""
        return next(each for each in self.units if each.unit == unit)


@dataclass(frozen=True, slots=True)
class Comparison:
    """A method against single-task under the honest protocol, on test rows.

    Differences are the method's value minus single-task's, with 95 % intervals.
    """

    method: str
    disparity: float
    difference: float
    low: float | None
    high: float | None
    error: float
    error_difference: float
    error_low: float | None
    error_high: float | None
    splits: int
    fairer_on: int
    verdict: str
    sentence: str


@dataclass(frozen=True, slots=True)
class Honest:
    """The honest protocol: single-task's errors, the constant's, and the comparisons."""

    says: str
    splits: int
    rmse: Spread
    mae: Spread
    disparity: Spread
    constant_rmse: Spread
    comparisons: tuple[Comparison, ...]
    correlations: tuple[Correlation, ...]


@dataclass(frozen=True, slots=True)
class Noise:
    """The gain from picking the best on test where nothing but the seed was changed.

    Parameters
    ----------
    reduction, method_reduction
        1 − least disparity / the baseline's, per split: among copies of the baseline, and among
        the method's α values in the centre reading.
    difference, low, high
        Least disparity of the method minus that of the copies: mean over splits, corrected 95 %
        interval.
    lower
        Splits on which the method's least disparity is below the copies'.
    gain, method_gain
        The same as the first two of the error.
    spread
        Standard deviation of the disparity over copies within a split, over its mean.
    """

    splits: int
    copies: int
    reduction: Spread
    method_reduction: Spread
    difference: float
    low: float | None
    high: float | None
    lower: int
    gain: Spread
    method_gain: Spread
    spread: float


@dataclass(frozen=True, slots=True)
class Histogram:
    """Counts between neighbouring edges."""

    title: str
    edges: tuple[float, ...]
    counts: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Curve:
    """A metric of some rows against α: median, 5th and 95th percentile over splits."""

    metric: str
    rows: str
    alpha: tuple[float, ...]
    median: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Front:
    """The front of one split, picked on test: (α, disparity, error) by rising disparity."""

    split: int
    points: tuple[tuple[float, float, float], ...]
    baseline: tuple[float, float]


@dataclass(frozen=True, slots=True)
class Pictures:
    """The data that the figures of a dataset are drawn from.

    Parameters
    ----------
    scatter
        (protected attribute, target) of each row; Boston only.
    correlation
        Pearson's, of these two.
    members
        Rows and people per group, by label; Parkinson only.
    """

    histograms: tuple[Histogram, ...]
    scatter: tuple[tuple[float, float], ...]
    correlation: float | None
    members: tuple[tuple[str, int, int], ...]
    curves: tuple[Curve, ...]
    fronts: tuple[Front, ...]


@dataclass(frozen=True, slots=True)
class DatasetResult:
    """Everything on one dataset; `readings` begin with the centre."""

    name: str
    unit: Unit
    warning: str
    readings: tuple[ReadingResult, ...]
    honest: Honest
    noise: Noise
    pictures: Pictures

    @property
    def centre(self) -> ReadingResult:
        """The reading the others depart from."""
        return self.readings[0]

    @property
    def closest(self) -> ReadingResult:
        """The reading with the least distance under the dataset's unit."""
        return min(self.readings, key=lambda reading: reading.unit(self.unit).distance)


@dataclass(frozen=True, slots=True)
class Results:
    """A whole reproduction.

    Parameters
    ----------
    scale
        ``full``, ``quick``, or what else was trained, in words.
    versions
        Of fairbench and the packages that decide numbers.
    model_steps
        Optimiser steps summed over models.
    failed
        Trainings without a usable prediction.
    """

    scale: str
    versions: dict[str, str]
    model_steps: int
    failed: int
    datasets: tuple[DatasetResult, ...]
