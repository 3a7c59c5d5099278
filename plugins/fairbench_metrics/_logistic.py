"""Logistic regression of a group on a few columns, for many trials at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from fairbench.dataset import FloatArray

_ITERATIONS = 200
_TOLERANCE = 1e-9


def log_odds(columns: FloatArray, label: FloatArray, /) -> FloatArray:
    """Fitted log-odds of label 1 on the rows themselves, (S, n).

    Minimises what scikit-learn's `LogisticRegression` does by default: the summed log-loss plus
    half the squared coefficients, the intercept not penalised. Newton's method, a step being
    halved where it does not lower the objective, which is convex.

    Parameters
    ----------
    columns : (S, d, n) float
        Standardised columns.
    label : (n,) float
        0 and 1, both present.
    """
    design = np.concatenate([np.ones_like(columns[:, :1]), columns], axis=1)
    penalty = np.ones(design.shape[1])
    penalty[0] = 0
    weights = np.zeros(design.shape[:2])
    weights[:, 0] = np.log(label.sum() / (len(label) - label.sum()))
    eta = _times(weights, design)
    loss = _objective(eta, label, penalty, weights)
    scale = np.ones(len(design))
    step = _newton(design, eta, label, penalty, weights)
    for _ in range(_ITERATIONS):
        trial = weights - scale[:, None] * step
        eta = _times(trial, design)
        found = _objective(eta, label, penalty, trial)
        worse = found > loss + 1e-12 * len(label)
        weights = np.where(worse[:, None], weights, trial)
        loss = np.where(worse, loss, found)
        scale = np.where(worse, scale / 2, 1.0)
        if worse.any():
            eta = _times(weights, design)
        if not worse.any() and np.abs(step).max() < _TOLERANCE:
            break
        step = _newton(design, eta, label, penalty, weights)
    return eta


def _times(weights: FloatArray, design: FloatArray) -> FloatArray:
    values: FloatArray = (weights[:, None] @ design)[:, 0]
    return values


def _objective(
    eta: FloatArray, label: FloatArray, penalty: FloatArray, weights: FloatArray
) -> FloatArray:
    loss = np.maximum(eta, 0) - eta * label + np.log1p(np.exp(-np.abs(eta)))
    values: FloatArray = loss.sum(axis=-1) + 0.5 * (penalty * weights**2).sum(axis=-1)
    return values


def _newton(
    design: FloatArray,
    eta: FloatArray,
    label: FloatArray,
    penalty: FloatArray,
    weights: FloatArray,
) -> FloatArray:
    share = 1 / (1 + np.exp(-np.abs(eta)))
    share = np.where(eta < 0, 1 - share, share)
    gradient = (design @ (share - label)[..., None])[..., 0] + penalty * weights
    curvature = (design * (share * (1 - share))[:, None]) @ design.swapaxes(1, 2)
    # A tiny ridge on the intercept as well keeps the system regular where every share is 0 or 1.
    curvature += np.diag(np.maximum(penalty, 1e-9))
    step = np.linalg.solve(curvature, gradient[..., None])[..., 0]
    return np.asarray(step, dtype=np.float64)
