"""Similar targets receive similar predictions across groups: individual and group penalty.

Berk et al. A convex framework for fair regression. 2017, section 2. The similarity is their
d(y, y′) = exp(−(y − y′)²), here of standardised targets, so that it does not depend on the unit
of the target. With more than two groups the worst pair is returned. More than 16,384 distinct
targets are taken to a grid with 64 points to a bandwidth of d, or
to IQR/1.34 of the targets where that is less.
"""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from fairbench_metrics._cells import Cells, kernel_cells
from fairbench_metrics._common import (
    but_constants,
    group_sizes,
    once_per_argument,
    over_trials,
    standardised,
)
from fairbench_metrics._kernel import gaussian_factor

if TYPE_CHECKING:
    from fairbench.dataset import FloatArray, Protected


@once_per_argument
def _similarity(target: FloatArray, /) -> tuple[Cells, FloatArray]:
    """Targets (n,) at u points, and the factor (r, u) of d between the points."""
    # exp(−(y − y′)²) is the Gaussian kernel of √2·y.
    cells = kernel_cells(np.sqrt(2) * standardised(target))
    return cells, gaussian_factor(cells.points[None])[0]


def _moments(
    prediction: FloatArray, target: FloatArray, protected: Protected, powers: tuple[int, ...]
) -> tuple[FloatArray, list[list[FloatArray]]]:
    """Rows of each group, (k,), and by group sums of ŷ^p at the points times the factor, (S, r)."""
    sizes = group_sizes(protected)
    cells, factor = _similarity(target)
    # Only differences of predictions count; centred, their squares lose no digits.
    prediction = but_constants(prediction)
    centred = prediction - prediction.mean(axis=-1, keepdims=True)
    moments = []
    for g in range(len(sizes)):
        index = np.flatnonzero(protected.groups == g)
        own, rows = cells.rows(index), centred[:, index]
        count = own.sums(np.ones((1, len(index)))) @ factor.T
        moments.append([count if p == 0 else own.sums(rows**p) @ factor.T for p in powers])
    return sizes, moments


@over_trials
def berk_individual(
    prediction: FloatArray, target: FloatArray, protected: Protected, /
) -> FloatArray:
    """(1/n_a n_b) Σ d(y_i, y_j)(ŷ_i − ŷ_j)² over i in a and j in b."""
    sizes, moments = _moments(prediction, target, protected, (0, 1, 2))
    worst = np.zeros(len(prediction))
    for a, b in combinations(range(len(sizes)), 2):
        (count, sums, squares), (other_count, other_sums, other_squares) = moments[a], moments[b]
        terms = squares * other_count + count * other_squares - 2 * sums * other_sums
        worst = np.maximum(worst, terms.sum(axis=-1) / (sizes[a] * sizes[b]))
    return worst


@over_trials
def berk_group(prediction: FloatArray, target: FloatArray, protected: Protected, /) -> FloatArray:
    """((1/n_a n_b) Σ d(y_i, y_j)(ŷ_i − ŷ_j))² over i in a and j in b: errors may cancel."""
    sizes, moments = _moments(prediction, target, protected, (0, 1))
    worst = np.zeros(len(prediction))
    for a, b in combinations(range(len(sizes)), 2):
        (count, sums), (other_count, other_sums) = moments[a], moments[b]
        terms = sums * other_count - count * other_sums
        worst = np.maximum(worst, np.square(terms.sum(axis=-1) / (sizes[a] * sizes[b])))
    return worst
