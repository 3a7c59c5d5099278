"""Dependence of predictions and the protected attribute by kernels: HSIC and CKA.

Gretton, Bousquet, Smola and Schölkopf. Measuring statistical dependence with Hilbert–Schmidt
norms. ALT 2005, definition 2; Kornblith et al. Similarity of neural network representations
revisited. ICML 2019, equation 4. The kernel of ŷ, and of a continuous attribute, is Gaussian
with the standard deviation on these rows as its bandwidth; that of a discrete one is 1[a = a′].
On more than 16,384 rows, more distinct numbers than that are taken to a grid with 64 points to
a standard deviation, or to IQR/1.34 where that is less.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fairbench_metrics._cells import KERNEL_EXACT, Cells, kernel_cells
from fairbench_metrics._common import (
    group_sizes,
    once_per_argument,
    one_hot,
    over_trials,
    quotient,
    standardised,
    varying,
)
from fairbench_metrics._kernel import gaussian_factor

if TYPE_CHECKING:
    from fairbench.dataset import FloatArray, Protected

_BLOCK = 2**14  # predictions whose factors are held at once: a few megabytes


@once_per_argument
def _norms(prediction: FloatArray, protected: Protected, /) -> tuple[FloatArray, FloatArray, float]:
    """tr(KHLH) and tr(KHKH) by trial, (S,), and tr(LHLH)."""
    cross, square = np.empty(len(prediction)), np.empty(len(prediction))
    if prediction.shape[-1] > KERNEL_EXACT:
        side = _side(protected)
        for number, row in enumerate(prediction):
            cross[number], square[number] = _on_cells(row, side)
        return cross, square, float(np.square(side.factor @ (side.counts * side.factor).T).sum())
    own = _centred_factor(protected)
    step = max(1, _BLOCK // prediction.shape[-1])
    for start in range(0, len(prediction), step):
        block = slice(start, start + step)
        factor = gaussian_factor(standardised(prediction[block]))
        factor -= factor.mean(axis=-1, keepdims=True)
        cross[block] = np.square(factor @ own.T).sum(axis=(1, 2))
        square[block] = np.square(factor @ factor.swapaxes(1, 2)).sum(axis=(1, 2))
    return cross, square, float(np.square(own @ own.T).sum())


@once_per_argument
def _centred_factor(protected: Protected, /) -> FloatArray:
    """A factor (r, n) of the centred kernel matrix of the attribute."""
    if protected.kind == "continuous":
        own = gaussian_factor(standardised(varying(protected))[None])[0]
    else:
        group_sizes(protected)
        own = one_hot(protected).T
    centred: FloatArray = own - own.mean(axis=-1, keepdims=True)
    return centred


@dataclass(frozen=True)
class _Side:
    """Rows at points, and the centred kernel between them.

    Attributes
    ----------
    counts : (u,)
        Rows at each point.
    factor : (r, u)
        Of the kernel between points, centred over the rows.
    """

    cells: Cells
    counts: FloatArray
    factor: FloatArray

    @classmethod
    def of(cls, cells: Cells, factor: FloatArray) -> _Side:
        counts = cells.sums(np.ones((1, len(cells.lower))))[0]
        return cls(cells, counts, factor - (factor @ counts)[:, None] / counts.sum())


@once_per_argument
def _side(protected: Protected, /) -> _Side:
    if protected.kind == "continuous":
        cells = kernel_cells(standardised(varying(protected)))
        return _Side.of(cells, gaussian_factor(cells.points[None])[0])
    sizes = group_sizes(protected)
    points = np.arange(len(sizes), dtype=np.float64)
    cells = Cells(points, protected.groups, protected.groups, np.zeros(len(protected.groups)))
    return _Side.of(cells, np.eye(len(sizes)))


def _on_cells(row: FloatArray, other: _Side) -> tuple[float, float]:
    """tr(KHLH) and tr(KHKH) of one trial (n,), rows taken to points on both sides."""
    cells = kernel_cells(standardised(row))
    own = _Side.of(cells, gaussian_factor(cells.points[None])[0])
    joint = own.cells.shares() @ other.cells.shares().T
    cross = np.square(own.factor @ (joint @ other.factor.T)).sum()
    square = np.square(own.factor @ (own.counts * own.factor).T).sum()
    return float(cross), float(square)


@over_trials
def hsic(prediction: FloatArray, target: FloatArray, protected: Protected, /) -> FloatArray:
    """tr(KHLH)/(n − 1)²: 0 where independent, unnormalised."""
    cross, _, _ = _norms(prediction, protected)
    values: FloatArray = cross / (len(target) - 1) ** 2
    return values


@over_trials
def cka(prediction: FloatArray, target: FloatArray, protected: Protected, /) -> FloatArray:
    """HSIC(ŷ, A)/√(HSIC(ŷ, ŷ) HSIC(A, A)), between 0 and 1.

    Raises
    ------
    Undefined
        Where the predictions of a trial are all equal.
    """
    cross, square, own = _norms(prediction, protected)
    varies = np.ptp(prediction, axis=-1) > 0
    return quotient(cross, np.sqrt(square * own), varies, "the predictions are all equal")
