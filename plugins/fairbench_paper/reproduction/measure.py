"""Measure the tables of a reading on a run of the paper's protocol."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from fairbench.analyze import corrected_interval, nondominated
from fairbench_paper.reproduction.printed import PAPER, Table
from fairbench_paper.reproduction.results import (
    AtAlpha,
    Correlation,
    Quantity,
    ReadingResult,
    Spread,
    Unit,
    UnitResult,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import pandas as pd

    from fairbench.analyze import Run
    from fairbench.dataset import FloatArray
    from fairbench_paper.reproduction.readings import Reading

__all__ = [
    "BASELINE",
    "METHOD",
    "UNITS",
    "Split",
    "correlations",
    "finite",
    "measure",
    "picked",
    "splits",
    "spread",
]

METHOD, BASELINE = "static-alpha", "single-task"
MOST = 0.9999
"""Where a perfect correlation is put, whose transform would be infinite."""

LEAST = 1e-9
"""Stands for a disparity of zero, which has no logarithm."""

UNITS: tuple[Unit, ...] = ("rmse", "mse")


@dataclass(frozen=True)
class Split:
    """One split of a run, on test rows.

    Attributes
    ----------
    baseline : Series
        Metrics of single-task.
    swept : DataFrame
        Metrics of the method, one row per α, sorted; the column ``value`` is α as the reading
        names it.
    """

    number: int
    baseline: pd.Series[float]
    swept: pd.DataFrame

    def points(self, unit: Unit, /) -> FloatArray:
        """Error and disparity (n, 2) of every α."""
        return self.swept[[unit, f"{unit}-disparity"]].to_numpy(dtype=np.float64)

    def front(self, unit: Unit, /) -> pd.DataFrame:
        """The α values that no other dominates on these very rows, as the paper picks them."""
        return self.swept[nondominated(self.points(unit))]


def splits(run: Run, reading: Reading, /) -> list[Split]:
    """The splits of `run` as `reading` names and limits its α; those with both methods' values."""
    table = run.metrics()
    table = table[(table["part"] == "test") & (table["status"] == "ok")]
    value = table["value"].to_numpy(dtype=np.float64)
    table = table.assign(value=np.round(5.0 - value, 6) if reading.mirrored else value)
    found = []
    for number, part in table.groupby("split", sort=True):
        base = part[part["method"] == BASELINE]
        swept = part[part["method"] == METHOD].sort_values("value")
        within = swept["value"].between(reading.lowest - 1e-9, reading.highest + 1e-9)
        if len(base) and within.any():
            found.append(Split(int(str(number)), base.iloc[0], swept[within]))
    return found


def spread(values: Iterable[float], /) -> Spread:
    """Median and 5th to 95th percentile."""
    array = np.array(list(values), dtype=np.float64)
    low, median, high = np.quantile(array, [0.05, 0.5, 0.95])
    return Spread(float(median), float(low), float(high), len(array))


def finite(number: float, /) -> float | None:
    """`number`, or None where it could not be known."""
    return float(number) if np.isfinite(number) else None


def _quantity(name: str, paper: float, values: Iterable[float]) -> Quantity:
    ours = np.array(list(values), dtype=np.float64)
    below = np.mean(ours < paper) + 0.5 * np.mean(ours == paper)
    return Quantity(name, paper, spread(ours), 100.0 * float(below))


def measure(run: Run, reading: Reading, centre: ReadingResult | None = None, /) -> ReadingResult:
    """The tables of one reading, in both units.

    Parameters
    ----------
    centre
        The centre's result, whose spread is the unit of distances; None for the centre itself.
    """
    found = splits(run, reading)
    table = PAPER[reading.dataset]
    ratio = run.ratios[reading.dataset]
    unit = "mse" if reading.dataset == "boston" else "rmse"
    return ReadingResult(
        reading.name,
        reading.says,
        len(found),
        max(len(each.swept) for each in found),
        tuple(
            _under(each, found, table, None if centre is None else centre.unit(each))
            for each in UNITS
        ),
        correlations([each.swept for each in found], unit, ratio),
    )


def _under(unit: Unit, found: list[Split], table: Table, centre: UnitResult | None) -> UnitResult:
    baseline = tuple(_baseline(unit, found, table))
    front = tuple(_front(unit, found, table))
    ours = (*baseline, *front)
    yard = ours if centre is None else (*centre.baseline, *centre.front)
    far = [
        abs(np.log(each.paper / max(each.ours.median, LEAST))) / _deviation(scale.ours)
        for each, scale in zip(ours, yard, strict=True)
    ]
    return UnitResult(
        unit, baseline, front, tuple(_at_alpha(unit, found, table)), float(np.mean(far))
    )


def _deviation(of: Spread) -> float:
    """Standard deviation of the logarithm, from the 5th and 95th percentile; 1 where unknown."""
    wide = float(np.log(max(of.high, LEAST) / max(of.low, LEAST)))
    return wide / (2 * 1.645) or 1.0


def _baseline(unit: Unit, found: list[Split], table: Table) -> Iterator[Quantity]:
    for name, paper, column in (
        ("error", table.error, unit),
        ("MAE", table.mae, "mae"),
        ("disparity", table.disparity, f"{unit}-disparity"),
        ("MAE disparity", table.mae_disparity, "mae-disparity"),
    ):
        yield _quantity(name, paper, (each.baseline[column] for each in found))


def picked(points: FloatArray, /) -> tuple[FloatArray, FloatArray]:
    """Return the fairest and the most accurate of points (n, 2) in error and disparity.

    Ties go to the other axis, so that both are on the front.
    """
    error, disparity = points.T
    return points[np.lexsort((error, disparity))[0]], points[np.lexsort((disparity, error))[0]]


def _front(unit: Unit, found: list[Split], table: Table) -> Iterator[Quantity]:
    both = [picked(each.points(unit)) for each in found]
    fair, accurate = (np.array(points) for points in zip(*both, strict=True))
    yield _quantity("least disparity", table.fairest.disparity, fair[:, 1])
    yield _quantity("error of that model", table.fairest.error, fair[:, 0])
    yield _quantity("least error", table.most_accurate.error, accurate[:, 0])
    yield _quantity("disparity of that model", table.most_accurate.disparity, accurate[:, 1])


def _at_alpha(unit: Unit, found: list[Split], table: Table) -> Iterator[AtAlpha]:
    for point in table.front:
        rows = [each.swept[np.isclose(each.swept["value"], point.alpha)] for each in found]
        rows = [row for row in rows if len(row)]
        if rows:
            yield AtAlpha(
                point.alpha,
                _quantity(
                    "disparity", point.disparity, (r[f"{unit}-disparity"].iloc[0] for r in rows)
                ),
                _quantity("error", point.error, (r[unit].iloc[0] for r in rows)),
            )


def correlations(swept: list[pd.DataFrame], unit: str, ratio: float, /) -> tuple[Correlation, ...]:
    """Spearman's correlation of α with error and disparity within each split, averaged.

    Parameters
    ----------
    swept
        Columns value and the metrics; one table per split.
    ratio
        Test rows over training rows: splits share rows, and the interval allows for it.
    """
    found = []
    axes: tuple[tuple[Literal["error", "disparity"], str], ...] = (
        ("error", unit),
        ("disparity", f"{unit}-disparity"),
    )
    for of, column in axes:
        rho = [_spearman(each["value"], each[column]) for each in swept]
        values = np.array([value for value in rho if np.isfinite(value)], dtype=np.float64)
        # Fisher's transformation: an interval of correlations must stay within −1 and 1.
        interval = corrected_interval(np.arctanh(np.clip(values, -MOST, MOST)), ratio)
        mean, low, high = np.tanh([interval.mean, interval.low, interval.high])
        rising = int((values > 0).sum())
        found.append(Correlation(of, float(mean), finite(low), finite(high), rising, len(values)))
    return tuple(found)


def _spearman(first: pd.Series[float], second: pd.Series[float]) -> float:
    """Correlation of ranks; NaN where one of them does not vary, or there are only two."""
    ranks = np.array([first.rank(), second.rank()])
    if ranks.shape[1] < 3 or not np.ptp(ranks, axis=1).all():
        return float("nan")
    return float(np.corrcoef(ranks)[0, 1])
