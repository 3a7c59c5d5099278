"""Before anything is trained: whether a study could find a complete removal of the disparity."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fairbench.analyze.axes import as_loss
from fairbench.analyze.evaluate import evaluate
from fairbench.analyze.intervals import smallest_detectable
from fairbench.analyze.overlap import split_overlap
from fairbench.fold import Fold

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fairbench.analyze.axes import Best
    from fairbench.dataset import Dataset, FloatArray
    from fairbench.fold import Split
    from fairbench.plugins import Component

__all__ = ["hopeless"]

MOST_ROWS = 20_000
"""Training rows that a linear model is fitted to: a rough guide needs no more."""


def hopeless(
    datasets: Mapping[str, Dataset],
    splits: Mapping[str, Sequence[Split]],
    views: Mapping[str, tuple[str, str]],
    metric: Component,
    seeds: int,
    comparisons: int,
    /,
) -> dict[str, str]:
    """A sentence by dataset, for those on which too little could be found, whatever a method does.

    A guide by linear models, in milliseconds: what one of them errs more for one group is taken
    for the baseline's disparity, and how far it moves when the model is fitted to a bootstrap
    sample of its training rows, for what two trainings differ by.

    Parameters
    ----------
    views
        Target and protected attribute by dataset.
    metric
        The disparity metric; nothing is said of one without a natural zero.
    seeds, comparisons
        Seeds per split, and how many comparisons are adjusted together.
    """
    if getattr(metric.description, "best", "low") == "high":
        return {}
    found = {}
    for name, data in datasets.items():
        target, protected = views[name]
        column = data.target_names.index(target)
        parts = splits[name]
        fitted = [_disparities(data, part, column, protected, metric) for part in parts]
        base, again = np.array(fitted).T
        shared = split_overlap(parts)
        size = float("nan")  # a single split has no spread to go by
        if len(parts) > 1:
            deviation = float((again - base).std(ddof=1)) / float(np.sqrt(seeds))
            size = smallest_detectable(
                deviation, len(parts), shared.ratio, df=shared.df, comparisons=comparisons
            )
        disparity = float(base.mean())
        if size > disparity:
            found[name] = (
                f"on {name} this study would usually miss even a complete removal of the "
                f"{metric.description.name}: going by linear models, it misses differences "
                f"below {size:.3g}, and the disparity is about {disparity:.3g}; "
                "`fairbench plan` says what more splits, seeds or rows would find"
            )
    return found


def _disparities(
    data: Dataset, split: Split, column: int, protected: str, metric: Component
) -> tuple[float, float]:
    """Test losses of a linear model, and of one fitted to a bootstrap sample."""
    attribute = next(a for a in data.protected if a.name == protected)
    rng = np.random.default_rng(0)
    fold = Fold(data, split)
    x, held_out = fold.features("train"), fold.features("test")
    y = data.targets[split.train, column]
    kept = np.arange(len(y))
    if len(y) > MOST_ROWS:
        kept = rng.choice(len(y), MOST_ROWS, replace=False)
    predictions = [
        _fitted(x[rows], y[rows], held_out) for rows in (kept, rng.choice(kept, len(kept)))
    ]
    labels = attribute.rows(split.test)
    target = data.targets[split.test, column]
    values, _ = evaluate(np.stack(predictions), target, labels, [metric])
    best: Best = getattr(metric.description, "best", "low")
    first, second = as_loss(values[metric.description.name], best)
    return float(first), float(second)


def _fitted(x: FloatArray, y: FloatArray, held_out: FloatArray) -> FloatArray:
    """Predictions on `held_out` of least squares with a small penalty, in scaled features."""
    center = x.mean(axis=0)
    centred = x - center
    gram = centred.T @ centred + 1e-3 * len(x) * np.eye(x.shape[1])
    weights = np.linalg.solve(gram, centred.T @ (y - y.mean()))
    predicted: FloatArray = (held_out - center) @ weights + y.mean()
    return predicted
