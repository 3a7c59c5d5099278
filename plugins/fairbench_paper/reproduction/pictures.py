"""The numbers behind Figures 1 to 7."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fairbench_paper.reproduction.measure import METHOD, Split, splits
from fairbench_paper.reproduction.results import Curve, Front, Histogram, Pictures, Unit

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fairbench.analyze import Run
    from fairbench.dataset import Dataset, FloatArray
    from fairbench_paper.reproduction.readings import Reading

__all__ = ["pictures"]

BINS = 25


def pictures(run: Run, dataset: Dataset, reading: Reading, unit: Unit, /) -> Pictures:
    """Distributions of the data, and curves and fronts of the centre reading."""
    attribute, target = dataset.protected[0], dataset.targets[:, 0]
    histograms = [_histogram(dataset.target_names[0], target)]
    scatter: tuple[tuple[float, float], ...] = ()
    correlation = None
    members: list[tuple[str, int, int]] = []
    if attribute.kind == "continuous":
        histograms.insert(0, _histogram(attribute.name, attribute.values))
        both = zip(attribute.values.tolist(), target.tolist(), strict=True)
        scatter = tuple((b, y) for b, y in both)
        correlation = float(np.corrcoef(attribute.values, target)[0, 1])
    else:
        members = list(_members(dataset))
    return Pictures(
        tuple(histograms),
        scatter,
        correlation,
        tuple(members),
        tuple(_curves(run, unit)),
        tuple(_front(split, unit) for split in splits(run, reading)),
    )


def _histogram(title: str, values: FloatArray) -> Histogram:
    counts, edges = np.histogram(values, bins=BINS)
    return Histogram(title, tuple(edges.tolist()), tuple(counts.tolist()))


def _members(dataset: Dataset) -> Iterator[tuple[str, int, int]]:
    attribute = dataset.protected[0]
    people = np.arange(dataset.rows) if dataset.clusters is None else dataset.clusters
    for code, label in enumerate(attribute.labels):
        inside = attribute.groups == code
        yield label, int(inside.sum()), len(np.unique(people[inside]))


def _curves(run: Run, unit: Unit) -> Iterator[Curve]:
    """MAE and the unit's error against α: of all rows, and of each group."""
    table = run.metrics()
    table = table[(table["part"] == "test") & (table["method"] == METHOD)]
    groups = run.groups()
    groups = groups[(groups["part"] == "test") & (groups["method"] == METHOD)]
    groups = groups.assign(rmse=np.sqrt(groups["mse"]))
    for metric in ("mae", unit):
        yield _curve(metric, "all", table["value"], table[metric])
        for label, part in groups.groupby("group", sort=False):
            yield _curve(metric, str(label), part["value"], part[metric])


def _curve(metric: str, rows: str, alpha: object, values: object) -> Curve:
    import pandas as pd

    by_alpha = pd.DataFrame({"alpha": alpha, "value": values}).dropna().groupby("alpha")["value"]
    table = by_alpha.quantile(np.array([0.5, 0.05, 0.95])).unstack()
    return Curve(
        metric,
        rows,
        tuple(float(a) for a in table.index),
        *(tuple(table[q].tolist()) for q in (0.5, 0.05, 0.95)),
    )


def _front(split: Split, unit: Unit) -> Front:
    front = split.front(unit).sort_values(f"{unit}-disparity")
    columns = front[["value", f"{unit}-disparity", unit]].to_numpy(dtype=np.float64)
    return Front(
        split.number,
        tuple((a, d, e) for a, d, e in columns.tolist()),
        (float(split.baseline[f"{unit}-disparity"]), float(split.baseline[unit])),
    )
