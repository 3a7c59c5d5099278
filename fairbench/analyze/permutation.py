"""Is a disparity beyond noise? The same predictions with group labels dealt at random."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fairbench.analyze.axes import as_loss
from fairbench.analyze.evaluate import evaluate

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fairbench.analyze.axes import Best
    from fairbench.dataset import FloatArray, IntArray, Protected
    from fairbench.plugins import Component

__all__ = ["DRAWS", "HeldOut", "dealt", "permuted"]

DRAWS = 199
"""Permutations: the smallest p-value is 0.005."""


@dataclass(frozen=True)
class HeldOut:
    """Predictions of one split's test rows.

    Attributes
    ----------
    prediction : (S, n)
        One row per seed.
    target : (n,)
    rows : (n,) int
        Row numbers in the dataset.
    """

    prediction: FloatArray
    target: FloatArray
    rows: IntArray


def dealt(clusters: IntArray | None, rows: int, rng: np.random.Generator, /) -> IntArray:
    """For every row (n,), the row whose group label it is given at random.

    Whole clusters swap their labels: each row of a cluster takes the label of the row that
    stands at the same relative place in the cluster it drew. Rows of one person keep the
    dependence among their labels, so that many rows of few people are not taken for many people.
    """
    if clusters is None:
        return rng.permutation(rows)
    order = np.argsort(clusters, kind="stable")
    _, first, sizes = np.unique(clusters[order], return_index=True, return_counts=True)
    donor = rng.permutation(len(sizes))
    own = np.repeat(np.arange(len(sizes)), sizes)
    place = np.arange(rows) - first[own]
    drawn = donor[own]
    source = np.empty(rows, dtype=np.int64)
    source[order] = order[first[drawn] + place * sizes[drawn] // sizes[own]]
    return source


def permuted(
    metric: Component,
    protected: Protected,
    clusters: IntArray | None,
    splits: Sequence[HeldOut],
    rng: np.random.Generator,
    /,
    *,
    best: Best = "low",
    draws: int = DRAWS,
) -> FloatArray:
    """The metric, as a loss, under random group labels: means (draws,) over splits.

    Labels are dealt once per draw over all rows of the dataset, so that splits that share test
    rows share labels, as they do in truth. Draws that leave a group too small in a split do
    without that split; NaN where none is left.

    Parameters
    ----------
    metric
        Component of a metric.
    protected
        The attribute on all rows of the dataset.
    clusters : (n,) int or None
    splits
        Test rows and predictions of each split.
    """
    values = np.full((draws, len(splits)), np.nan)
    for draw in range(draws):
        source = dealt(clusters, len(protected.groups), rng)
        for number, tested in enumerate(splits):
            labels = protected.rows(source[tested.rows])
            found, _ = evaluate(tested.prediction, tested.target, labels, [metric])
            values[draw, number] = as_loss(found[metric.description.name], best).mean()
    known = np.isfinite(values)
    total = np.where(known, values, 0.0).sum(axis=1)
    counts = known.sum(axis=1)
    return np.where(counts > 0, total / np.maximum(counts, 1), np.nan)
