"""Group calibration: predictions mean the same target in every group."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fairbench.metric import Undefined
from fairbench_metrics._common import (
    BINS,
    group_sizes,
    one_hot,
    over_trials,
    quantile_bins,
    spread,
    varies,
)

if TYPE_CHECKING:
    from fairbench.dataset import FloatArray, Protected


def _errors(prediction: FloatArray, target: FloatArray, protected: Protected) -> FloatArray:
    """Σ_bins w_gb |E[y − ŷ | ŷ ∈ bin b, g]| of each group, w_gb its share in the bin, (S, k)."""
    sizes = group_sizes(protected)
    codes, residual, member = (
        quantile_bins(prediction, BINS),
        target - prediction,
        one_hot(protected),
    )
    # The share of a bin times its mean is its sum over the size of the group.
    sums = [np.abs(np.where(codes == b, residual, 0.0) @ member) for b in range(BINS)]
    values: FloatArray = np.sum(sums, axis=0) / sizes
    return values


@over_trials
def calibration_worst(
    prediction: FloatArray, target: FloatArray, protected: Protected, /
) -> FloatArray:
    """Calibration error of the worst group, over quantile bins of all predictions."""
    values: FloatArray = _errors(prediction, target, protected).max(axis=-1)
    return values


@over_trials
def calibration_disparity(
    prediction: FloatArray, target: FloatArray, protected: Protected, /
) -> FloatArray:
    """Largest minus smallest calibration error of a group."""
    return spread(_errors(prediction, target, protected))


def _lines(
    prediction: FloatArray, target: FloatArray, protected: Protected
) -> tuple[FloatArray, FloatArray]:
    """Slope of y on ŷ in each group, and its value at the mean prediction of all, (S, k)."""
    group_sizes(protected)
    slopes = np.full((len(prediction), len(protected.labels)), np.nan)
    heights = slopes.copy()
    middle = prediction.mean(axis=-1)
    for g in range(slopes.shape[1]):
        own, truth = prediction[:, protected.groups == g], target[protected.groups == g]
        mean = own.mean(axis=-1, keepdims=True)
        centred = own - mean
        lines = varies(own)
        products, squares = centred @ (truth - truth.mean()), np.square(centred).sum(axis=-1)
        np.divide(products, squares, out=slopes[:, g], where=lines)
        heights[:, g] = truth.mean() + slopes[:, g] * (middle - mean[:, 0])
    if np.isnan(slopes).any(axis=-1).all():
        raise Undefined("predictions do not vary within a group, so that no line fits")
    return slopes, heights


@over_trials
def calibration_slope_gap(
    prediction: FloatArray, target: FloatArray, protected: Protected, /
) -> FloatArray:
    """Largest minus smallest slope of the regression of y on ŷ within a group."""
    return spread(_lines(prediction, target, protected)[0])


@over_trials
def calibration_intercept_gap(
    prediction: FloatArray, target: FloatArray, protected: Protected, /
) -> FloatArray:
    """Largest minus smallest fitted y at the mean prediction of all rows.

    Taken there and not at ŷ = 0, which may be far from any prediction and depends on the unit.
    """
    return spread(_lines(prediction, target, protected)[1])
