"""Generalized demographic parity: E_s |E[ŷ | s] − E ŷ|, s discrete or continuous.

Jiang, Han, Fan, Yang, Mostafavi and Hu. Generalized demographic parity for group fairness.
ICLR 2022, definition 1; the kernel estimate is their section 3.2.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fairbench_metrics._cells import Cells, cells_of
from fairbench_metrics._common import (
    but_constants,
    group_means,
    group_sizes,
    once_per_argument,
    over_trials,
    varying,
)

if TYPE_CHECKING:
    from scipy.sparse import csr_array

    from fairbench.dataset import FloatArray, Protected

MOST_EXACT = 2_000
"""Distinct values of the attribute beyond which they are taken to a grid."""

PER_BANDWIDTH = 16
"""Points of that grid in a bandwidth."""

REACH = 6.0
"""Bandwidths beyond which the kernel, then below 2·10⁻⁸, counts as 0 on the grid."""


def bandwidth(values: FloatArray, /) -> float:
    """Silverman's rule of thumb, 0.9 · min(σ, IQR/1.34) · n^(−1/5); σ alone where IQR is 0."""
    deviation = float(np.std(values, ddof=1))
    low, high = np.quantile(values, [0.25, 0.75])
    scale = min(deviation, float(high - low) / 1.34) or deviation
    return float(0.9 * scale * len(values) ** -0.2)


@dataclass(frozen=True)
class _Smoother:
    """Nadaraya–Watson smoothing over one attribute.

    Attributes
    ----------
    kernel : (u, u)
        Between the points of `cells`.
    counts : (u,)
        Rows at each of them.
    """

    cells: Cells
    kernel: FloatArray | csr_array
    counts: FloatArray

    def means(self, prediction: FloatArray, /) -> FloatArray:
        """Estimates (S, u) of E[ŷ | s] at each point."""
        # A point's own weight, or that of the next point, keeps the divisor above 0.
        sums = self.cells.sums(prediction)
        smooth: FloatArray = (self.kernel @ sums.T).T / (self.kernel @ self.counts)
        return smooth


@once_per_argument
def _smoother(protected: Protected, /) -> _Smoother:
    values = varying(protected)
    width = bandwidth(values)
    cells = cells_of(values, width / PER_BANDWIDTH, MOST_EXACT)
    counts = cells.sums(np.ones((1, len(values))))[0]
    points = cells.points / width
    if len(points) <= MOST_EXACT:
        whole = np.exp(-0.5 * np.square(points[:, None] - points))
        return _Smoother(cells, whole, counts)
    return _Smoother(cells, _banded(points), counts)


def _banded(points: FloatArray) -> csr_array:
    """The kernel between points (u,) in bandwidths, which ascend, as far as it reaches.

    Memory is that of u · 2 · REACH · PER_BANDWIDTH numbers at most.
    """
    from scipy.sparse import csr_array

    first = np.searchsorted(points, points - REACH)
    counts = np.searchsorted(points, points + REACH, side="right") - first
    starts = np.concatenate([[0], np.cumsum(counts)])
    row = np.repeat(np.arange(len(points)), counts)
    column = np.arange(starts[-1]) - np.repeat(starts[:-1] - first, counts)
    entries = np.exp(-0.5 * np.square(points[row] - points[column]))
    return csr_array((entries, column, starts), shape=(len(points), len(points)))


@over_trials
def generalized_demographic_parity(
    prediction: FloatArray, target: FloatArray, protected: Protected, /
) -> FloatArray:
    """Mean over rows of |E[ŷ | s] − E ŷ|; with two groups 2·p_a·p_b times the mean parity.

    A continuous attribute of more than 2,000 distinct values is taken to a grid with 16 points
    in a bandwidth, each row being shared linearly between the two points beside it.
    """
    prediction = but_constants(prediction)
    if protected.kind == "continuous":
        smoother = _smoother(protected)
        by_value, shares = smoother.means(prediction), smoother.counts / len(target)
    else:
        by_value = group_means(prediction, protected)
        shares = group_sizes(protected) / len(target)
    values: FloatArray = np.abs(by_value - prediction.mean(axis=-1, keepdims=True)) @ shares
    return values
