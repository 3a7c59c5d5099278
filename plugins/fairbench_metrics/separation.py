"""Separation: groups receive the same predictions among rows with similar targets.

Σ_b P(y ∈ bin b) · gap(ŷ | g, y ∈ b) over quantile bins of the target.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fairbench.metric import Undefined
from fairbench_metrics._common import BINS, group_sizes, over_trials, quantile_bins
from fairbench_metrics.distribution_parity import ks_parity_pairwise, wasserstein_parity
from fairbench_metrics.mean_parity import mean_parity

if TYPE_CHECKING:
    from fairbench.dataset import FloatArray, IntArray, Protected
    from fairbench.metric import Metric


def _check(codes: IntArray, protected: Protected) -> None:
    group_sizes(protected)
    for b in np.unique(codes):
        counts = np.bincount(protected.groups[codes == b], minlength=len(protected.labels))
        if counts.min() < 2:
            label = protected.labels[int(counts.argmin())]
            raise Undefined(
                f"group {label!r} of {protected.name} has {counts.min()} rows, fewer than 2, "
                f"in bin {b + 1} of {BINS} of the target"
            )


def _within_bins(gap: Metric) -> Metric:
    @over_trials
    def metric(prediction: FloatArray, target: FloatArray, protected: Protected, /) -> FloatArray:
        codes = quantile_bins(target, BINS)
        _check(codes, protected)
        total = np.zeros(len(prediction))
        for b in np.unique(codes):
            rows = np.flatnonzero(codes == b)
            gaps = gap(prediction[:, rows], target[rows], protected.rows(rows))
            total += len(rows) / len(target) * gaps
        return total

    return metric


separation_mean = _within_bins(mean_parity)
separation_ks = _within_bins(ks_parity_pairwise)
separation_wasserstein = _within_bins(wasserstein_parity)
