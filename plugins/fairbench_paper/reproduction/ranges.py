"""Ranges in which the medians of a reproduction are expected, at any scale."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from fairbench_paper.reproduction.results import DatasetResult, Results

__all__ = ["RANGES", "Range", "found", "outside"]


@dataclass(frozen=True, slots=True)
class Range:
    """A median over splits of the baseline, with the least and the most it may be.

    `reading` is a reading's name, or ``honest``; `metric` is ``rmse``, ``mse`` or ``mae``.
    """

    dataset: str
    reading: str
    metric: str
    low: float
    high: float

    @property
    def name(self) -> str:
        """The metric and the reading, in words."""
        return f"{self.metric.upper()} of {self.reading}"


RANGES = (
    Range("parkinson", "parkinson", "rmse", 2.7, 3.4),
    Range("parkinson", "parkinson", "mae", 2.0, 2.5),
    Range("parkinson", "parkinson-no-subject", "rmse", 4.4, 5.2),
    Range("parkinson", "honest", "rmse", 8.0, 14.0),
    Range("boston", "boston", "mse", 7.0, 25.0),
)
"""From reruns with another program. There Boston gave 7 to 21 by split; here a fifth of the
training rows is set aside to decide when to stop."""


def found(results: Results, /) -> Iterator[tuple[Range, float]]:
    """Each range with the median that was found for it, where its dataset was reproduced."""
    for dataset in results.datasets:
        for each in RANGES:
            if each.dataset == dataset.name:
                yield each, _median(dataset, each)


def outside(results: Results, /) -> list[str]:
    """Say in words what does not fall in its range."""
    return [
        f"{each.name} is {value:.3g}, expected {each.low:g} to {each.high:g}"
        for each, value in found(results)
        if not each.low <= value <= each.high
    ]


def _median(dataset: DatasetResult, wanted: Range) -> float:
    if wanted.reading == "honest":
        return float(getattr(dataset.honest, wanted.metric).median)
    reading = next(each for each in dataset.readings if each.name == wanted.reading)
    error, mae, *_ = reading.unit("mse" if wanted.metric == "mse" else "rmse").baseline
    return (mae if wanted.metric == "mae" else error).ours.median
