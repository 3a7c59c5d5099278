"""Is a disparity beyond noise? The same predictions with group labels dealt at random."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from math import factorial
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy

from fairbench.analyze.axes import as_loss
from fairbench.analyze.evaluate import evaluate
from fairbench.analyze.group_values import (
    GroupValues,
    group_values,
    largest_t,
    units_of,
    welch_p,
)
from fairbench.metric import Undefined

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fairbench.analyze.axes import Best
    from fairbench.analyze.held_out import HeldOut
    from fairbench.dataset import FloatArray, IntArray, Protected
    from fairbench.metric import RowValues
    from fairbench.plugins import Component

__all__ = [
    "DRAWS",
    "Permuted",
    "dealt",
    "known_means",
    "permuted",
    "row_values",
    "smallest_p",
]

DRAWS = 199
"""Permutations: the smallest p-value is 0.005."""


@dataclass(frozen=True)
class Permuted:
    """A metric under group labels dealt at random.

    Attributes
    ----------
    values, losses : (draws,)
        The metric in its own sign and scale, and as a loss, means over splits; NaN where no
        split has every group.
    studentised : (draws,) or None
        The largest difference of two groups in its own standard errors, for metrics that
        compare means; None for others.
    observed
        The same of the true labels; NaN for others.
    welch
        p-value of Welch's F, see `welch_p`; NaN for others.
    """

    values: FloatArray
    losses: FloatArray
    studentised: FloatArray | None = None
    observed: float = float("nan")
    welch: float = float("nan")


def dealt(clusters: IntArray | None, rows: int, rng: np.random.Generator, /) -> IntArray:
    """For every row (n,), the row whose group label it is given at random.

    Whole clusters swap their labels: each row of a cluster takes the label of a row that stands
    at the same relative place in the cluster it drew, and the rows of a cluster then swap labels
    among themselves. Where all rows of a cluster have one label they keep one, so that many
    rows of few people are not taken for many people; where labels differ within clusters, and
    every cluster holds the same ones, it is the second step that moves anything.
    """
    if clusters is None:
        return rng.permutation(rows)
    order = np.lexsort((rng.random(rows), clusters))
    _, first, sizes = np.unique(clusters[order], return_index=True, return_counts=True)
    donor = rng.permutation(len(sizes))
    own = np.repeat(np.arange(len(sizes)), sizes)
    place = np.arange(rows) - first[own]
    drawn = donor[own]
    source = np.empty(rows, dtype=np.int64)
    given = np.argsort(clusters, kind="stable")  # the donor's rows as they stand, the own shuffled
    source[order] = given[first[drawn] + place * sizes[drawn] // sizes[own]]
    return source


def row_values(component: Component, /) -> RowValues | None:
    """The row values of a metric that compares means of groups; None for any other."""
    try:
        found: Any = getattr(component.load(), "by_row", None)
    except Exception:  # a plugin that does not load is told of by `evaluate`
        return None
    return found if callable(found) else None


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
) -> Permuted:
    """The metric under random group labels, and what its groups differ by in standard errors.

    Labels are dealt once per draw over all rows of the dataset, so that splits that share test
    rows share labels, as they do in truth. Draws that leave a group too small in a split do
    without that split.

    Equal means are not all that dealing labels assumes: it also makes groups equally spread, and
    where the smaller group is the more spread one, a difference of means is found in 40 % of
    studies that have none. For metrics that compare means each draw is therefore measured in
    its own standard errors as well (Janssen 1997, Studentized permutation tests; Chung and
    Romano 2013, Exact and asymptotically robust permutation tests): as exact as before where
    groups are exchangeable, and valid for many rows where only their means are equal.

    Parameters
    ----------
    metric, best
        Component of a metric, and its direction.
    protected
        The attribute on all rows of the dataset.
    clusters : (n,) int or None
    splits
        Test rows and predictions of each split.
    """
    size = len(protected.groups)
    units = units_of(clusters, size)
    by_row = row_values(metric)
    own = None if by_row is None else _compared(by_row, protected, units, splits)
    values = np.full((draws, len(splits)), np.nan)
    studentised = np.full(draws, np.nan)
    for draw in range(draws):
        labels = protected.rows(dealt(clusters, size, rng))
        for number, tested in enumerate(splits):
            here = labels.rows(tested.rows)
            found, _ = evaluate(tested.prediction, tested.target, here, [metric])
            values[draw, number] = found[metric.description.name].mean()
        if by_row is not None and own is not None:
            again = _compared(by_row, labels, units, splits)
            studentised[draw] = np.nan if again is None else largest_t(again)
    means = known_means(values), known_means(as_loss(values, best))
    if own is None:
        return Permuted(*means)
    return Permuted(*means, studentised, largest_t(own), welch_p(own))


def _compared(
    by_row: RowValues, protected: Protected, units: IntArray, splits: Sequence[HeldOut]
) -> GroupValues | None:
    try:
        return group_values(by_row, protected, units, splits)
    except Undefined:
        return None


def known_means(values: FloatArray) -> FloatArray:
    """Mean over the last axis of what is known; NaN where nothing is."""
    known = np.isfinite(values)
    total = np.where(known, values, 0.0).sum(axis=1)
    counts = known.sum(axis=1)
    means: FloatArray = np.where(counts > 0, total / np.maximum(counts, 1), np.nan)
    return means


def smallest_p(protected: Protected, clusters: IntArray | None, tested: IntArray, /) -> float:
    """The least p-value that dealing labels can give: how often a deal changes nothing.

    A deal that gives the tested units (rows, or whole clusters) the labels they have, or only
    renames groups, shows the observed value again. With few clusters such deals are common, and
    no disparity, however large, can then be told from chance.

    Parameters
    ----------
    tested : (m,) int
        Rows that are tested in some split.
    """
    k = len(protected.labels)
    if clusters is None:
        units, tables = np.arange(len(protected.groups)), np.eye(k)[protected.groups]
    else:
        units = np.unique(clusters, return_inverse=True)[1]
        tables = np.zeros((int(units.max()) + 1, k))
        np.add.at(tables, (units, protected.groups), 1.0)
    seen = np.zeros(len(tables), dtype=bool)
    seen[units[tested]] = True
    kinds = np.unique(tables / tables.sum(axis=1, keepdims=True), axis=0, return_inverse=True)[1]
    all_of = np.bincount(kinds.reshape(-1))
    seen_of = np.bincount(kinds.reshape(-1)[seen], minlength=len(all_of))
    chance = _log_falling(all_of, seen_of).sum()
    chance -= _log_falling(np.array([len(tables)]), np.array([seen.sum()])).sum()
    # Deals within the clusters that have rows of several groups.
    chance -= (
        scipy.special.gammaln(tables[seen].sum(axis=1) + 1)
        - scipy.special.gammaln(tables[seen] + 1).sum(axis=1)
    ).sum()
    alike = Counter(zip(all_of.tolist(), seen_of.tolist(), strict=True))
    renamed = float(np.prod([factorial(min(count, 20)) for count in alike.values()]))
    return float(min(1.0, np.exp(chance) * renamed))


def _log_falling(size: IntArray, count: IntArray) -> FloatArray:
    """Logarithm of size·(size − 1)·…, `count` factors."""
    found: FloatArray = scipy.special.gammaln(size + 1.0) - scipy.special.gammaln(
        size - count + 1.0
    )
    return found
