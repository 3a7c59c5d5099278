"""Pairwise ranking parity: pairs are ranked rightly as often, whatever their groups.

Narasimhan, Cotter, Gupta and Wang. Pairwise fairness for ranking and regression. AAAI 2020,
section 3: A(a, a′) = P(ŷ > ŷ′ | y > y′, first row in a, second in a′), ties in ŷ being wrong.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from fairbench.metric import Undefined
from fairbench_metrics._common import group_sizes, once_per_argument, over_trials, spread
from fairbench_metrics._merge import merges

if TYPE_CHECKING:
    from fairbench.dataset import FloatArray, IntArray, Protected
    from fairbench.metric import Metric


def _pairs(target: FloatArray, protected: Protected) -> FloatArray:
    """Number of pairs with y > y′, first row in a and second in a′, (k, k)."""
    own = [np.sort(target[protected.groups == g]) for g in range(len(protected.labels))]
    counts = [[np.searchsorted(below, above, side="left").sum() for below in own] for above in own]
    return np.array(counts, dtype=np.float64)


@once_per_argument
def _right(prediction: FloatArray, target: FloatArray, protected: Protected, /) -> FloatArray:
    """Number of those pairs with ŷ > ŷ′ as well, (S, k, k)."""
    # Places ascend with y, and among equal y descend with ŷ: equal y never count as ranked.
    descending = np.argsort(-prediction, axis=-1, kind="stable")
    by_target = np.argsort(target[descending], axis=-1, kind="stable")
    order = np.take_along_axis(descending, by_target, axis=-1)
    groups = protected.groups[order]
    ranks = _ranks(np.take_along_axis(prediction, order, axis=-1))
    k = len(protected.labels)
    # A column of its own for the rows that pad the last block, which are in no group.
    groups = np.concatenate([groups, np.full((len(groups), 1), k)], axis=1)
    counts = np.zeros((len(prediction), k, k))
    for place, _, right in merges(ranks):
        flat = np.minimum(place, len(target)).reshape(len(groups), -1)
        group = np.take_along_axis(groups, flat, axis=-1).reshape(place.shape)
        for b in range(k):
            below = np.cumsum(~right & (group == b), axis=-1)
            for a in range(k):
                counts[:, a, b] += np.where(right & (group == a), below, 0).sum(axis=(1, 2))
    return counts


def _ranks(ordered: FloatArray) -> IntArray:
    """Ranks of predictions by place; among equal ones the higher place has the lower rank."""
    n = ordered.shape[-1]
    by_rank = n - 1 - np.argsort(ordered[:, ::-1], axis=-1, kind="stable")
    ranks: IntArray = np.empty_like(by_rank)
    np.put_along_axis(ranks, by_rank, np.arange(n)[None], axis=-1)
    return ranks


def _gap(select: Callable[[FloatArray], FloatArray]) -> Metric:
    """Largest minus smallest share of rightly ranked pairs over what `select` takes of (k, k)."""

    @over_trials
    def metric(prediction: FloatArray, target: FloatArray, protected: Protected, /) -> FloatArray:
        group_sizes(protected)
        pairs = select(_pairs(target, protected)[None])
        if not pairs.all():
            raise Undefined("two groups have no pair of rows of which the first has more target")
        return spread(select(_right(prediction, target, protected)) / pairs)

    return metric


def _every(table: FloatArray) -> FloatArray:
    return table.reshape(len(table), -1)


def _across(table: FloatArray) -> FloatArray:
    return table[:, ~np.eye(table.shape[-1], dtype=bool)]


def _by_first(table: FloatArray) -> FloatArray:
    sums: FloatArray = table.sum(axis=-1)
    return sums


ranking_parity = _gap(_every)
ranking_parity_cross = _gap(_across)
ranking_parity_marginal = _gap(_by_first)
