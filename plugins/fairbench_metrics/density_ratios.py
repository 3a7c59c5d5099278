"""Independence, separation and sufficiency as ratios of densities between two groups.

Steinberg, Reid and O'Callaghan. Fairness measures for regression via probabilistic
classification. 2020. Each density ratio is the ratio of the odds of a classifier of the group:
r_ind = E[odds(ŷ)]/prior odds, r_sep = E[odds(y, ŷ)/odds(y)], r_suf = E[odds(y, ŷ)/odds(ŷ)].

The classifier is arbitrary and can reorder models, hence two: logistic regression on
standardised y and ŷ (scikit-learn's default objective), and shares of the groups in quantile
bins, with one row's weight of prior in each cell. Deviations: with more than two groups each
pair is taken alone; of all ordered pairs the ratio farthest from 1, in logarithms, is returned.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from itertools import combinations
from typing import TYPE_CHECKING, Literal

import numpy as np

from fairbench_metrics._common import (
    BINS,
    group_sizes,
    once_per_argument,
    over_trials,
    quantile_bins,
    standardised,
)
from fairbench_metrics._logistic import log_odds

if TYPE_CHECKING:
    from fairbench.dataset import FloatArray, Protected
    from fairbench.metric import Metric

Criterion = Literal["independence", "separation", "sufficiency"]


class _Pair:
    """Rows of two groups: predictions (S, n), targets (n,), labels (n,) of 0 and 1.

    Holds the fits of the classifier, each made when it is first asked for.
    """

    def __init__(self, prediction: FloatArray, target: FloatArray, label: FloatArray) -> None:
        self.prediction, self.target, self.label = prediction, target, label

    @cached_property
    def by_prediction(self) -> FloatArray:
        """Log-odds of label 1 given ŷ, (S, n)."""
        return log_odds(standardised(self.prediction)[:, None], self.label)

    @cached_property
    def by_target(self) -> FloatArray:
        """Log-odds of label 1 given y, (1, n)."""
        return log_odds(standardised(self.target)[None, None], self.label)

    @cached_property
    def by_both(self) -> FloatArray:
        """Log-odds of label 1 given y and ŷ, (S, n)."""
        score = standardised(self.prediction)
        truth = np.broadcast_to(standardised(self.target), score.shape)
        return log_odds(np.stack([truth, score], axis=1), self.label)


Estimator = Callable[[Criterion, _Pair], "FloatArray"]
"""Mean density ratios (2, S) of label 1 to 0 and of 0 to 1."""


def _logistic(criterion: Criterion, pair: _Pair) -> FloatArray:
    if criterion == "independence":
        label = pair.label
        ratio = pair.by_prediction - np.log(label.sum() / (len(label) - label.sum()))
    elif criterion == "separation":
        ratio = pair.by_both - pair.by_target
    else:
        ratio = pair.by_both - pair.by_prediction
    return np.stack([np.exp(ratio).mean(axis=-1), np.exp(-ratio).mean(axis=-1)])


def _binned(criterion: Criterion, pair: _Pair) -> FloatArray:
    prediction, target, label = pair.prediction, pair.target, pair.label
    codes = quantile_bins(target, BINS) * BINS + quantile_bins(prediction, BINS)
    flat = np.arange(len(codes))[:, None] * BINS * BINS + codes
    size = len(codes) * BINS * BINS
    rows = np.bincount(flat.ravel(), minlength=size)
    ones = np.bincount(flat[:, label == 1].ravel(), minlength=size)
    # (S, bins of y, bins of ŷ, label)
    counts = np.stack([rows - ones, ones], axis=-1).reshape(-1, BINS, BINS, 2).astype(np.float64)
    shares = np.array([1 - label.mean(), label.mean()])

    def odds(cells: FloatArray) -> FloatArray:
        weighted = cells + shares
        ratio: FloatArray = weighted[..., 1] / weighted[..., 0]
        return ratio

    if criterion == "independence":
        counts = counts.sum(axis=1, keepdims=True)
        ratio = odds(counts) * shares[0] / shares[1]
    else:
        axis = 2 if criterion == "separation" else 1
        ratio = odds(counts) / odds(counts.sum(axis=axis, keepdims=True))
    weights = counts.sum(axis=-1) / len(label)
    return np.stack([(weights * ratio).sum(axis=(1, 2)), (weights / ratio).sum(axis=(1, 2))])


@once_per_argument
def _pairs(
    prediction: FloatArray, target: FloatArray, protected: Protected, /
) -> tuple[_Pair, ...]:
    group_sizes(protected)
    pairs = []
    for a, b in combinations(range(len(protected.labels)), 2):
        rows = np.flatnonzero((protected.groups == a) | (protected.groups == b))
        label = (protected.groups[rows] == b).astype(np.float64)
        pairs.append(_Pair(prediction[:, rows], target[rows], label))
    return tuple(pairs)


def _ratio(criterion: Criterion, estimate: Estimator) -> Metric:
    @over_trials
    def metric(prediction: FloatArray, target: FloatArray, protected: Protected, /) -> FloatArray:
        pairs = _pairs(prediction, target, protected)
        table = np.concatenate([estimate(criterion, pair) for pair in pairs])
        farthest = np.abs(np.log(table)).argmax(axis=0)
        values: FloatArray = np.take_along_axis(table, farthest[None], axis=0)[0]
        if criterion == "sufficiency":
            return values
        # Equal predictions tell nothing of the group; the two fits compared agree to rounding.
        return np.where(np.ptp(prediction, axis=-1) > 0, values, 1.0)

    return metric


independence_ratio_logistic = _ratio("independence", _logistic)
separation_ratio_logistic = _ratio("separation", _logistic)
sufficiency_ratio_logistic = _ratio("sufficiency", _logistic)
independence_ratio_binned = _ratio("independence", _binned)
separation_ratio_binned = _ratio("separation", _binned)
sufficiency_ratio_binned = _ratio("sufficiency", _binned)
