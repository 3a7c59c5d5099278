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
    group_means,
    group_sizes,
    over_trials,
    quotient,
    spread,
    unit_range,
    varies,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from fairbench.dataset import FloatArray, Protected
    from fairbench.metric import Metric


def _group_mae(prediction: FloatArray, target: FloatArray, protected: Protected) -> FloatArray:
    return group_means(np.abs(prediction - target), protected)


def _group_mse(prediction: FloatArray, target: FloatArray, protected: Protected) -> FloatArray:
    return group_means(np.square(prediction - target), protected)


def _group_rmse(prediction: FloatArray, target: FloatArray, protected: Protected) -> FloatArray:
    return np.sqrt(_group_mse(prediction, target, protected))


def _group_r2(prediction: FloatArray, target: FloatArray, protected: Protected) -> FloatArray:
    group_sizes(protected)
    variance = np.empty(len(protected.labels))
    for g, label in enumerate(protected.labels):
        own = target[protected.groups == g]
        if not varies(own):
            raise Undefined(f"R² needs targets that vary within group {label!r}")
        variance[g] = own.var()
    return 1 - _group_mse(prediction, target, protected) / variance


def _by_group(loss: Table, summary: Callable[[FloatArray], FloatArray]) -> Metric:
    @over_trials
    def metric(prediction: FloatArray, target: FloatArray, protected: Protected, /) -> FloatArray:
        return summary(loss(prediction, target, protected))

    return metric


def _deviation(loss: Table, overall: Metric) -> Metric:
    """Largest |L_g − L|, L being the loss over all rows."""

    @over_trials
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


@over_trials
def bounded_group_loss(
    prediction: FloatArray, target: FloatArray, protected: Protected, /
) -> FloatArray:
    """Worst group's squared error on the unit interval (Agarwal, Dudík and Wu 2019, section 2).

    Targets are mapped onto [0, 1] by their range on these rows and predictions are clipped to
    that range, which is what bounds the loss; `mse_worst` is the same without bound.
    """
    low, width = unit_range(target)
    bounded = np.clip(prediction, low, low + width)
    return _largest(_group_mse(bounded / width, target / width, protected))


@over_trials
def residual_gap(prediction: FloatArray, target: FloatArray, protected: Protected, /) -> FloatArray:
    """Largest minus smallest mean residual E[ŷ − y | g]."""
    return spread(group_means(prediction - target, protected))
