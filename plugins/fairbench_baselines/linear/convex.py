"""Convex quadratic programmes with few linear constraints."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.linalg import null_space
from scipy.optimize import nnls

from fairbench.errors import StudyError

if TYPE_CHECKING:
    from fairbench.dataset import FloatArray

__all__ = ["definite", "least_squares", "minimum", "solve"]

_EQUAL = 1e-14
"""Width of an interval, as a share of its ends' size, from which on it is an interval."""


def solve(matrix: FloatArray, right: FloatArray, /) -> FloatArray:
    """X with matrix · x = right."""
    return np.asarray(np.linalg.solve(matrix, right), dtype=np.float64)


def least_squares(matrix: FloatArray, right: FloatArray, /) -> FloatArray:
    """The shortest x of those that bring matrix · x nearest to `right`."""
    return np.asarray(np.linalg.lstsq(matrix, right, rcond=None)[0], dtype=np.float64)


def definite(matrix: FloatArray, /) -> FloatArray:
    """`matrix` with 10⁻⁸ of its mean diagonal added to it."""
    size = len(matrix)
    return matrix + 1e-8 * max(float(np.trace(matrix)) / size, 1e-8) * np.eye(size)


def minimum(
    hessian: FloatArray, slope: FloatArray, rows: FloatArray, low: FloatArray, high: FloatArray, /
) -> FloatArray:
    """The w (d,) that minimises ½wᵀHw − cᵀw with low ≤ Aw ≤ high.

    H is positive definite. Rows with equal bounds are solved for first. What remains is a
    least-distance problem in the metric of H, which Lawson and Hanson (1974, Chapter 23) turn
    into non-negative least squares; constraints may depend on one another.

    Raises
    ------
    StudyError
        Where nothing meets the constraints.
    """
    equal = high - low <= _EQUAL * np.maximum(np.abs(high), np.abs(low))
    start: FloatArray = np.zeros(len(hessian))
    basis = np.eye(len(hessian))
    if equal.any():
        start = least_squares(rows[equal], low[equal])
        basis = null_space(rows[equal])
        if not basis.shape[1]:
            return start
    reduced = np.asarray(np.linalg.cholesky(basis.T @ hessian @ basis), dtype=np.float64)
    # In x, with w = start + basis · L⁻ᵀx, the objective is ½‖x − centre‖².
    centre = solve(reduced, basis.T @ (slope - hessian @ start))
    bounded = rows[~equal]
    across = solve(reduced, (bounded @ basis).T).T
    at = bounded @ start + across @ centre
    sides = np.vstack([across, -across])
    gaps = np.concatenate([low[~equal] - at, at - high[~equal]])
    found = centre + _least(sides, gaps)
    return np.asarray(start + basis @ solve(reduced.T, found), dtype=np.float64)


def _least(rows: FloatArray, least: FloatArray) -> FloatArray:
    """The shortest x with rows · x ≥ least."""
    if not len(rows) or (least <= 0).all():
        return np.zeros(rows.shape[1])
    scale = float(np.abs(least).max())
    stacked = np.vstack([rows.T, least / scale])
    goal = np.zeros(len(stacked))
    goal[-1] = 1.0
    multipliers, _ = nnls(stacked, goal)
    rest = stacked @ multipliers - goal
    if -rest[-1] < 1e-12:
        raise StudyError(
            "no linear model meets the constraints",
            where="a constrained linear method",
            hint="take a trade-off value further from the fair end",
        )
    x: FloatArray = -rest[:-1] / rest[-1] * scale
    return x
