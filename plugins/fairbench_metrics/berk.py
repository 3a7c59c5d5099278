"""Similar targets receive similar predictions across groups: individual and group penalty.

Berk et al. A convex framework for fair regression. 2017, section 2. The similarity is their
d(y, y′) = exp(−(y − y′)²), here of standardised targets, so that it does not depend on the unit
of the target. With more than two groups the worst pair is returned.
"""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from fairbench_metrics._common import group_sizes, over_trials, standardised
from fairbench_metrics._kernel import gaussian_factor

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fairbench.dataset import FloatArray, Protected

Side = tuple["FloatArray", "FloatArray", "FloatArray"]


def _pairs(
    prediction: FloatArray, target: FloatArray, protected: Protected
) -> Iterator[tuple[Side, Side]]:
    """For each pair of groups and each side of it: predictions, factor of d, and row sums of d."""
    group_sizes(protected)
    # exp(−(y − y′)²) is the Gaussian kernel of √2·y.
    factor = gaussian_factor(np.sqrt(2) * standardised(target)[None])[0]
    # Only differences of predictions count; centred, their squares lose no digits.
    centred = prediction - prediction.mean(axis=-1, keepdims=True)
    members = [protected.groups == g for g in range(len(protected.labels))]
    for a, b in combinations(members, 2):
        sums_a = factor[:, b].sum(axis=-1) @ factor[:, a]
        sums_b = factor[:, a].sum(axis=-1) @ factor[:, b]
        yield (centred[:, a], factor[:, a], sums_a), (centred[:, b], factor[:, b], sums_b)


@over_trials
def berk_individual(
    prediction: FloatArray, target: FloatArray, protected: Protected, /
) -> FloatArray:
    """(1/n_a n_b) Σ d(y_i, y_j)(ŷ_i − ŷ_j)² over i in a and j in b."""
    worst = np.zeros(len(prediction))
    for (own, factor, sums), (other, other_factor, other_sums) in _pairs(
        prediction, target, protected
    ):
        products = ((own @ factor.T) * (other @ other_factor.T)).sum(axis=-1)
        squares = own**2 @ sums + other**2 @ other_sums
        pairs = own.shape[1] * other.shape[1]
        worst = np.maximum(worst, (squares - 2 * products) / pairs)
    return worst


@over_trials
def berk_group(prediction: FloatArray, target: FloatArray, protected: Protected, /) -> FloatArray:
    """((1/n_a n_b) Σ d(y_i, y_j)(ŷ_i − ŷ_j))² over i in a and j in b: errors may cancel."""
    worst = np.zeros(len(prediction))
    for (own, _, sums), (other, _, other_sums) in _pairs(prediction, target, protected):
        pairs = own.shape[1] * other.shape[1]
        mean = (own @ sums - other @ other_sums) / pairs
        worst = np.maximum(worst, mean**2)
    return worst
