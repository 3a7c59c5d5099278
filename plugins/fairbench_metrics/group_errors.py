"""Errors compared between groups: for L in MAE, MSE, RMSE, R², four summaries of L by group.

Each metric is the composition of a loss by group, (S, k), and a summary over the groups.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fairbench.metric import Undefined
from fairbench_metrics import errors
from fairbench_metrics._common import (
    Table,
    comparing,
    group_means,
    group_sizes,
    quotient,
    spread,
    unit_range,
    varies,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from fairbench.dataset import FloatArray, Protected
    from fairbench.metric import Metric


def _absolute(prediction: FloatArray, target: FloatArray, _: Protected) -> FloatArray:
    return np.abs(prediction - target)


def _square(prediction: FloatArray, target: FloatArray, _: Protected) -> FloatArray:
    values: FloatArray = np.square(prediction - target)
    return values


def _root(prediction: FloatArray, target: FloatArray, protected: Protected) -> FloatArray:
    """RMSE of the row's group, plus the influence of the row on it: (e² − MSE)/(2 RMSE)."""
    square = np.square(prediction - target)
    mse = group_means(square, protected)[:, protected.groups]
    root = np.sqrt(mse)
    influence = np.divide(square - mse, 2 * root, out=np.zeros_like(root), where=root > 0)
    values: FloatArray = root + influence
    return values


def _explained(prediction: FloatArray, target: FloatArray, protected: Protected) -> FloatArray:
    """R² of the row's group, plus the influence of the row on its MSE and its variance."""
    variance, centre = _target_variance(target, protected)
    square = np.square(prediction - target)
    share = group_means(square, protected)[:, protected.groups] / variance[protected.groups]
    own = np.square(target - centre[protected.groups]) / variance[protected.groups]
    values: FloatArray = 1 - square / variance[protected.groups] + share * (own - 1)
    return values


def _residual(prediction: FloatArray, target: FloatArray, _: Protected) -> FloatArray:
    return prediction - target


def _bounded(prediction: FloatArray, target: FloatArray, protected: Protected) -> FloatArray:
    """Squared error on the unit interval."""
    low, width = unit_range(target)
    bounded = np.clip(prediction, low, low + width)
    return _square(bounded / width, target / width, protected)


def _group_mae(prediction: FloatArray, target: FloatArray, protected: Protected) -> FloatArray:
    return group_means(_absolute(prediction, target, protected), protected)


def _group_mse(prediction: FloatArray, target: FloatArray, protected: Protected) -> FloatArray:
    return group_means(_square(prediction, target, protected), protected)


def _group_rmse(prediction: FloatArray, target: FloatArray, protected: Protected) -> FloatArray:
    return np.sqrt(_group_mse(prediction, target, protected))


def _group_r2(prediction: FloatArray, target: FloatArray, protected: Protected) -> FloatArray:
    group_sizes(protected)
    variance, _ = _target_variance(target, protected)
    return 1 - _group_mse(prediction, target, protected) / variance


def _target_variance(target: FloatArray, protected: Protected) -> tuple[FloatArray, FloatArray]:
    """Variance and mean of the targets by group, both (k,)."""
    variance, mean = np.empty(len(protected.labels)), np.empty(len(protected.labels))
    for g, label in enumerate(protected.labels):
        own = target[protected.groups == g]
        if not varies(own):
            raise Undefined(f"R² needs targets that vary within group {label!r}")
        variance[g], mean[g] = own.var(), own.mean()
    return variance, mean


_ROWS: dict[Table, Table] = {
    _group_mae: _absolute,
    _group_mse: _square,
    _group_rmse: _root,
    _group_r2: _explained,
}
"""What each loss by group is the mean of."""


def _by_group(loss: Table, summary: Callable[[FloatArray], FloatArray]) -> Metric:
    @comparing(_ROWS[loss])
    def metric(prediction: FloatArray, target: FloatArray, protected: Protected, /) -> FloatArray:
        return summary(loss(prediction, target, protected))

    return metric


def _deviation(loss: Table, overall: Metric) -> Metric:
    """Largest |L_g − L|, L being the loss over all rows."""

    @comparing(_ROWS[loss])
    def metric(prediction: FloatArray, target: FloatArray, protected: Protected, /) -> FloatArray:
        whole = overall(prediction, target, protected)[:, None]
        values: FloatArray = np.abs(loss(prediction, target, protected) - whole).max(axis=-1)
        return values

    return metric


def _ratio(by_group: FloatArray) -> FloatArray:
    """Smallest over largest; undefined unless no group is negative and one is positive."""
    low, high = by_group.min(axis=-1), by_group.max(axis=-1)
    reason = "the ratio needs groups that are none below 0 and not all 0"
    return quotient(low, high, (low >= 0) & (high > 0), reason)


def _largest(by_group: FloatArray) -> FloatArray:
    values: FloatArray = by_group.max(axis=-1)
    return values


def _smallest(by_group: FloatArray) -> FloatArray:
    values: FloatArray = by_group.min(axis=-1)
    return values


mae_disparity = _by_group(_group_mae, spread)
mse_disparity = _by_group(_group_mse, spread)
rmse_disparity = _by_group(_group_rmse, spread)
r2_disparity = _by_group(_group_r2, spread)

mae_ratio = _by_group(_group_mae, _ratio)
mse_ratio = _by_group(_group_mse, _ratio)
rmse_ratio = _by_group(_group_rmse, _ratio)
r2_ratio = _by_group(_group_r2, _ratio)

mae_worst = _by_group(_group_mae, _largest)
mse_worst = _by_group(_group_mse, _largest)
rmse_worst = _by_group(_group_rmse, _largest)
r2_worst = _by_group(_group_r2, _smallest)

mae_deviation = _deviation(_group_mae, errors.mae)
mse_deviation = _deviation(_group_mse, errors.mse)
rmse_deviation = _deviation(_group_rmse, errors.rmse)
r2_deviation = _deviation(_group_r2, errors.r2)


@comparing(_bounded)
def bounded_group_loss(
    prediction: FloatArray, target: FloatArray, protected: Protected, /
) -> FloatArray:
    """Worst group's squared error on the unit interval (Agarwal, Dudík and Wu 2019, section 2).

    Targets are mapped onto [0, 1] by their range on these rows and predictions are clipped to
    that range, which is what bounds the loss; `mse_worst` is the same without bound.
    """
    return _largest(group_means(_bounded(prediction, target, protected), protected))


@comparing(_residual)
def residual_gap(prediction: FloatArray, target: FloatArray, protected: Protected, /) -> FloatArray:
    """Largest minus smallest mean residual E[ŷ − y | g]."""
    return spread(group_means(_residual(prediction, target, protected), protected))
