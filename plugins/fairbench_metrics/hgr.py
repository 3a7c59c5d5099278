"""Maximal correlation (Hirschfeld, Gebelein, Rényi): sup over f, g of corr(f(ŷ), g(A)).

The supremum cannot be computed from a sample without a restriction, and the restriction can
reorder models, hence two estimates: smooth densities, and polynomials. Both give 0 to
predictions that are all equal, as f ranges over functions with E f² ≤ 1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fairbench_metrics._common import (
    but_constants,
    group_sizes,
    once_per_argument,
    one_hot,
    over_trials,
    standardised,
    varying,
)

if TYPE_CHECKING:
    from fairbench.dataset import FloatArray, Protected

DEGREE = 5
RANGE = 5.0

LEAST = 1e-13
"""What orthogonalising must leave of a polynomial, as a share, for it to be more than rounding."""


def _polynomials(values: FloatArray) -> FloatArray:
    """Polynomials of degree 1 … DEGREE orthonormal over the rows of (S, n), (S, DEGREE, n).

    Each is the one before times x, made orthogonal to all before twice over (Arnoldi's process:
    Brubeck, Nakatsukasa and Trefethen. Vandermonde with Arnoldi. SIAM Review 2021). What is
    left is a polynomial where it passes rounding; where it does not, as at the degree of the
    number of distinct values, it and all after it are zero. x is centred at the median, so that
    rows near each other keep all the digits of their differences, however far an outlier is.
    """
    n = values.shape[-1]
    x = values - np.median(values, axis=-1, keepdims=True)
    reach = np.abs(x).max(axis=-1, keepdims=True)
    x = np.divide(x, reach, out=np.zeros_like(x), where=reach > 0)
    basis = np.zeros((len(values), DEGREE + 1, n))
    basis[:, 0] = 1
    for degree in range(1, DEGREE + 1):
        done = basis[:, :degree]
        found = x * done[:, -1]
        whole = np.sqrt(np.mean(found**2, axis=-1, keepdims=True))
        for _ in range(2):
            along = done @ found[..., None] / n
            found -= (along.swapaxes(1, 2) @ done)[:, 0]
        norm: FloatArray = np.sqrt(np.mean(found**2, axis=-1, keepdims=True))
        np.divide(found, norm, out=basis[:, degree], where=norm > LEAST * whole)
    return basis[:, 1:]


@once_per_argument
def _of_attribute(protected: Protected, /) -> FloatArray:
    """Orthonormal polynomials of the attribute's values, (n, DEGREE)."""
    functions: FloatArray = _polynomials(varying(protected)[None])[0].T
    return functions


@over_trials
def hgr_polynomial(
    prediction: FloatArray, target: FloatArray, protected: Protected, /
) -> FloatArray:
    """Largest canonical correlation of polynomials of ŷ with functions of A.

    Polynomials of degree 5 on both sides (Giuliani and Lombardi. Enhancing the applicability of
    fair learning with continuous attributes: the double-kernel HGR), or of one below the
    number of distinct values; all functions of A where A is discrete.
    """
    if protected.kind == "continuous":
        functions = _of_attribute(protected)
    else:
        scale = np.sqrt(len(target) / group_sizes(protected))
        functions = np.asarray(one_hot(protected) * scale, dtype=np.float64)
    correlations = _polynomials(prediction) @ functions / len(target)
    largest = np.linalg.svd(correlations, compute_uv=False)[:, 0].astype(np.float64)
    values: FloatArray = np.minimum(largest, 1.0)
    return values


@over_trials
def gedi(prediction: FloatArray, target: FloatArray, protected: Protected, /) -> FloatArray:
    """Generalised disparate impact: largest cov(f(A), ŷ)/var(A), f a polynomial, σ(f(A)) = σ(A).

    Giuliani, Misino and Lombardi. Generalized disparate impact for configurable fairness
    solutions in ML. ICML 2023, the kernel being on A alone: ŷ is not transformed. The value is
    R·σ(ŷ)/σ(A) with R² the share of the variance of ŷ that polynomials of degree 5 in A
    explain; for two groups it is the difference of their mean predictions. Deviation: they
    scale f so that its coefficients in the powers of A have absolute sum 1, which depends on
    the unit and the origin of A from the second degree on; the spread of f is fixed instead.
    """
    deviation = varying(protected).std()
    prediction = but_constants(prediction)
    centred = prediction - prediction.mean(axis=-1, keepdims=True)
    explained = centred @ _of_attribute(protected) / len(target)
    values: FloatArray = np.linalg.norm(explained, axis=-1) / deviation
    return values


@over_trials
def gedi_double(prediction: FloatArray, target: FloatArray, protected: Protected, /) -> FloatArray:
    """Generalised disparate impact with kernels on both sides: HGR · σ(ŷ)/σ(A), by polynomials.

    Giuliani and Lombardi. Enhancing the applicability of fair learning with continuous
    attributes. Not 0 where groups of equal mean predictions differ in spread.
    """
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


def _binned_jointly(values: FloatArray, attribute: FloatArray, points: int) -> FloatArray:
    """Rows of (S, n) and (n,) shared among the four grid points around each, (S, p, p)."""
    cells = points * points
    (lower, upper), (left, right) = _weights(values, points), _weights(attribute, points)
    result = np.zeros((len(values), cells))
    for sums, row, share in zip(result, lower, upper, strict=True):
        at = (row * points + left).astype(np.int64)
        for offset, weight in (
            (0, (1 - share) * (1 - right)),
            (1, (1 - share) * right),
            (points, share * (1 - right)),
            (points + 1, share * right),
        ):
            sums += np.bincount(at + offset, weight, cells)
    return result.reshape(-1, points, points)


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
        density = kernel @ _binned_jointly(standardised(prediction), attribute, points) @ kernel
    else:
        group_sizes(protected)
        density = kernel @ _binned(standardised(prediction), points, one_hot(protected))
    density /= density.sum(axis=(1, 2), keepdims=True)
    return np.where(np.ptp(prediction, axis=-1) > 0, _second_singular(density), 0.0)


def _second_singular(density: FloatArray) -> FloatArray:
    """Return the second singular value of density/√(marginals), for density (S, p, q)."""
    rows, columns = density.sum(axis=2, keepdims=True), density.sum(axis=1, keepdims=True)
    ratio = np.divide(density, np.sqrt(rows), out=np.zeros_like(density), where=rows > 0)
    ratio = np.divide(ratio, np.sqrt(columns), out=np.zeros_like(density), where=columns > 0)
    squares: FloatArray = np.linalg.eigvalsh(ratio.swapaxes(1, 2) @ ratio)[:, -2]
    return np.sqrt(np.clip(squares, 0.0, 1.0))
