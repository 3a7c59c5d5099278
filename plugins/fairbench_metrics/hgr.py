"""Maximal correlation (Hirschfeld, Gebelein, Rényi): sup over f, g of corr(f(ŷ), g(A)).

The supremum cannot be computed from a sample without a restriction, and the restriction can
reorder models, hence two estimates: smooth densities, and polynomials. Both give 0 to
predictions that are all equal, as f ranges over functions with E f² ≤ 1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fairbench_metrics._common import (
    group_sizes,
    one_hot,
    over_trials,
    standardised,
    varying,
)

if TYPE_CHECKING:
    from fairbench.dataset import FloatArray, Protected

DEGREE = 5
RANGE = 5.0


def _polynomials(values: FloatArray) -> FloatArray:
    """Polynomials of degree 1 … DEGREE orthonormal over the rows of (S, n), (S, DEGREE, n).

    The three-term recurrence of Stieltjes; zero from the degree on at which `values` have too
    few distinct numbers.
    """
    before, last = np.zeros_like(values), np.ones_like(values)
    x, coefficient = standardised(values), np.zeros((len(values), 1))
    result = []
    for _ in range(DEGREE):
        product = x * last
        mean = np.mean(product * last, axis=-1, keepdims=True)
        found = product - mean * last - coefficient * before
        norm = np.sqrt(np.mean(found**2, axis=-1, keepdims=True))
        scale = np.sqrt(np.mean(product**2, axis=-1, keepdims=True))
        sound = norm > 1e-7 * scale
        before, coefficient = last, norm
        last = np.divide(found, norm, out=np.zeros_like(found), where=sound)
        result.append(last)
    return np.stack(result, axis=1)


@over_trials
def hgr_polynomial(
    prediction: FloatArray, target: FloatArray, protected: Protected, /
) -> FloatArray:
    """Largest canonical correlation of polynomials of ŷ with functions of A.

    Degree 5 on both sides (Giuliani, Misino and Lombardi. Generalized disparate impact for
    configurable fairness solutions in ML. ICML 2023, the double-kernel form); all functions of
    A where A is discrete.
    """
    if protected.kind == "continuous":
        functions = _polynomials(varying(protected)[None])[0].T
    else:
        functions = one_hot(protected) / np.sqrt(group_sizes(protected) / len(target))
    correlations = _polynomials(prediction) @ functions / len(target)
    largest: FloatArray = np.linalg.svd(correlations, compute_uv=False)[:, 0]
    values: FloatArray = np.minimum(largest, 1.0)
    return values


@over_trials
def gedi(prediction: FloatArray, target: FloatArray, protected: Protected, /) -> FloatArray:
    """Generalised disparate impact (Giuliani et al. 2023): HGR · σ(ŷ)/σ(A), by polynomials."""
    scale: FloatArray = prediction.std(axis=-1) / varying(protected).std()
    return scale * hgr_polynomial(prediction, target, protected)


def _weights(values: FloatArray, points: int) -> tuple[FloatArray, FloatArray]:
    """Linear binning: lower grid point of each standardised value, and weight of the upper."""
    position = (np.clip(values, -RANGE, RANGE) + RANGE) * (points - 1) / (2 * RANGE)
    lower = np.minimum(np.floor(position), points - 2)
    return lower, position - lower


def _binned(values: FloatArray, points: int, columns: FloatArray) -> FloatArray:
    """Σ over rows of (weight on each grid point) ⊗ `columns` (n, c), as (S, points, c)."""
    trials = len(values)
    lower, upper = _weights(values, points)
    result = np.empty((trials, points, columns.shape[1]))
    start = (np.arange(trials)[:, None] * points + lower).astype(np.int64)
    for c, column in enumerate(columns.T):
        rows = np.flatnonzero(column)
        at = start[:, rows].ravel()
        right = (upper[:, rows] * column[rows]).ravel()
        left = ((1 - upper[:, rows]) * column[rows]).ravel()
        total = np.bincount(at, left, trials * points)
        total += np.bincount(at + 1, right, trials * points)
        result[..., c] = total.reshape(trials, points)
    return result


def _kernel(points: int, bandwidth: float) -> FloatArray:
    grid = np.linspace(-RANGE, RANGE, points)
    kernel: FloatArray = np.exp(-0.5 * np.square((grid[:, None] - grid) / bandwidth))
    return kernel


@over_trials
def hgr_kde(prediction: FloatArray, target: FloatArray, protected: Protected, /) -> FloatArray:
    """Second singular value of π(u, v)/√(π(u)π(v)), π a Gaussian kernel density estimate.

    Mary, Calauzènes and El Karoui. Fairness-aware learning for continuous attributes and
    treatments. ICML 2019, equation 5. Bandwidths by Scott's rule, σ·n^(−1/(4+dimensions)); the
    density is taken on a grid of half a bandwidth over ±5 σ by linear binning, values beyond
    being counted at the edge.
    """
    continuous = protected.kind == "continuous"
    bandwidth = len(target) ** (-1 / 6 if continuous else -1 / 5)
    points = int(np.ceil(4 * RANGE / bandwidth)) + 1
    kernel = _kernel(points, bandwidth)
    if continuous:
        attribute = standardised(varying(protected))
        lower, upper = _weights(attribute, points)
        member = np.zeros((len(target), points))
        member[np.arange(len(target)), lower.astype(np.int64)] = 1 - upper
        member[np.arange(len(target)), lower.astype(np.int64) + 1] += upper
        density = kernel @ _binned(standardised(prediction), points, member) @ kernel
    else:
        group_sizes(protected)
        density = kernel @ _binned(standardised(prediction), points, one_hot(protected))
    density /= density.sum(axis=(1, 2), keepdims=True)
    return np.where(np.ptp(prediction, axis=-1) > 0, _second_singular(density), 0.0)


def _second_singular(density: FloatArray) -> FloatArray:
    """Of density/√(marginals), whose first singular value is 1; density (S, p, q)."""
    rows, columns = density.sum(axis=2, keepdims=True), density.sum(axis=1, keepdims=True)
    ratio = np.divide(density, np.sqrt(rows), out=np.zeros_like(density), where=rows > 0)
    ratio = np.divide(ratio, np.sqrt(columns), out=np.zeros_like(density), where=columns > 0)
    squares: FloatArray = np.linalg.eigvalsh(ratio.swapaxes(1, 2) @ ratio)[:, -2]
    return np.sqrt(np.clip(squares, 0.0, 1.0))
