"""Errors over all rows: mean absolute and squared error, its root, R² and pinball loss."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fairbench.metric import Undefined
from fairbench_metrics._common import over_trials, varies

if TYPE_CHECKING:
    from fairbench.dataset import FloatArray, Protected
    from fairbench.metric import Metric


@over_trials
def mae(prediction: FloatArray, target: FloatArray, protected: Protected, /) -> FloatArray:
    """Mean absolute error."""
    values: FloatArray = np.abs(prediction - target).mean(axis=-1)
    return values


@over_trials
def mse(prediction: FloatArray, target: FloatArray, protected: Protected, /) -> FloatArray:
    """Mean squared error."""
    values: FloatArray = np.square(prediction - target).mean(axis=-1)
    return values


@over_trials
def rmse(prediction: FloatArray, target: FloatArray, protected: Protected, /) -> FloatArray:
    """Root of the mean squared error."""
    return np.sqrt(mse(prediction, target, protected))


@over_trials
def r2(prediction: FloatArray, target: FloatArray, protected: Protected, /) -> FloatArray:
    """Share of the targets' variance explained, 1 − Σ(ŷ−y)² / Σ(y−ȳ)².

    Raises
    ------
    Undefined
        Where the targets do not vary.
    """
    if not varies(target):
        raise Undefined("R² needs targets that vary")
    return 1 - mse(prediction, target, protected) / np.var(target)


def _pinball(quantile: float) -> Metric:
    """Koenker and Bassett 1978: mean of max(q·(y−ŷ), (q−1)·(y−ŷ))."""

    @over_trials
    def loss(prediction: FloatArray, target: FloatArray, protected: Protected, /) -> FloatArray:
        residual = target - prediction
        values: FloatArray = np.maximum(quantile * residual, (quantile - 1) * residual).mean(-1)
        return values

    return loss


pinball_10 = _pinball(0.1)
pinball_90 = _pinball(0.9)
