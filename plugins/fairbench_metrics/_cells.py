"""Numbers on a line as weights of fewer points, so that kernels cost no more than the rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from scipy.sparse import csr_array

    from fairbench.dataset import FloatArray, IntArray

__all__ = ["KERNEL_EXACT", "Cells", "cells_of", "kernel_cells"]


@dataclass(frozen=True)
class Cells:
    """Rows shared out among points: exactly, or linearly between the two points around each.

    Attributes
    ----------
    points : (u,)
        In ascending order. Those of a grid are multiples of its width, the empty ones left out.
    lower, upper : (n,) int
        The points of each row.
    weight : (n,)
        The share of each row that its upper point has.
    """

    points: FloatArray
    lower: IntArray
    upper: IntArray
    weight: FloatArray

    def sums(self, rows: FloatArray, /) -> FloatArray:
        """Sums of quantities (S, n) of the rows at each point, (S, u)."""
        count = len(self.points)
        table = np.empty((len(rows), count))
        for sums, values in zip(table, rows, strict=True):
            if self.upper is self.lower:
                sums[:] = np.bincount(self.lower, values, count)
                continue
            above = values * self.weight
            sums[:] = np.bincount(self.lower, values - above, count)
            sums += np.bincount(self.upper, above, count)
        return table

    def shares(self) -> csr_array:
        """The share of each row that each point has, (u, n)."""
        from scipy.sparse import coo_array

        rows = np.arange(len(self.lower))
        at = np.concatenate([self.lower, self.upper]), np.concatenate([rows, rows])
        shares = np.concatenate([1 - self.weight, self.weight])
        return coo_array((shares, at), shape=(len(self.points), len(rows))).tocsr()

    def rows(self, index: IntArray, /) -> Cells:
        """The rows of `index`, among the same points."""
        lower = self.lower[index]
        upper = lower if self.upper is self.lower else self.upper[index]
        return Cells(self.points, lower, upper, self.weight[index])


KERNEL_EXACT = 2**14
"""Distinct numbers beyond which `kernel_cells` takes a grid."""

KERNEL_WIDTH = 1 / 64
"""Distance of that grid's points, in bandwidths or in IQR/1.34, whichever is less."""


def kernel_cells(values: FloatArray, /) -> Cells:
    """Values (n,) in bandwidths of a Gaussian kernel, ready for `gaussian_factor`.

    With heavy tails the standard deviation, and with it the bandwidth, says little of where
    most rows lie; the IQR does.
    """
    low, high = np.quantile(values, [0.25, 0.75])
    scale = min(1.0, float(high - low) / 1.34) or 1.0
    return cells_of(values, KERNEL_WIDTH * scale, KERNEL_EXACT)


def cells_of(values: FloatArray, width: float, most: int, /) -> Cells:
    """The distinct numbers of `values` (n,) themselves, or a grid where there are more than `most`.

    The grid has points `width` apart, and each row is shared linearly between the two beside
    it: a kernel of bandwidth h is widened by a share of about (width/h)²/12 at each end.
    """
    points, inverse = np.unique(values, return_inverse=True)
    if len(points) <= most:
        lower = inverse.astype(np.int64)
        return Cells(points, lower, lower, np.zeros(len(values)))
    # Numbers of points as floats: an outlier may be farther than whole numbers reach, and has
    # then a point of its own.
    position = (values - points[0]) / width
    below = np.floor(position)
    weight = position - below
    numbers = np.unique(np.concatenate([below, below + 1]))
    lower = np.searchsorted(numbers, below)
    upper = np.searchsorted(numbers, below + 1)
    return Cells(numbers * width + points[0], lower, upper, weight)
