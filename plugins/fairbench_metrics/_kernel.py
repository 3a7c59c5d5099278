"""Gaussian kernel matrices of numbers on a line, as exact thin factors."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from fairbench.dataset import FloatArray

_TOLERANCE = 1e-12


def gaussian_factor(values: FloatArray, /) -> FloatArray:
    """Factors F (S, r, n) with FᵀF = K to 1e-12, K_ij = exp(−(x_i − x_j)²/2), of values (S, n).

    Incomplete Cholesky decomposition with pivots (Fine and Scheinberg, JMLR 2001): it ends when
    no diagonal element of K − FᵀF, which is positive semi-definite, passes the tolerance. On a
    line r is a few dozen, as many as an n × n matrix of this kernel has singular values above
    rounding, and one more for each outlier.
    """
    trials, n = values.shape
    every = np.arange(trials)
    left = np.ones_like(values)
    factor = np.zeros((trials, min(n, 32), n))
    for r in range(n):
        pivot = left.argmax(axis=-1)
        top = left[every, pivot]
        if top.max() <= _TOLERANCE:
            return factor[:, :r]
        if r == factor.shape[1]:
            factor = np.concatenate([factor, np.zeros((trials, min(n - r, r), n))], axis=1)
        column = np.exp(-0.5 * np.square(values - values[every, pivot][:, None]))
        done = factor[:, :r]
        column -= (done[every, :, pivot][:, None] @ done)[:, 0]
        scale = np.where(top > _TOLERANCE, 1 / np.sqrt(np.maximum(top, _TOLERANCE)), 0.0)
        column *= scale[:, None]
        factor[:, r] = column
        left = np.maximum(left - column**2, 0.0)
        left[every, pivot] = np.where(top > _TOLERANCE, 0.0, top)
    return factor
