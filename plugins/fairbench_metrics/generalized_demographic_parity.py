"""Generalized demographic parity: E_s |E[ŷ | s] − E ŷ|, s discrete or continuous.

Jiang, Han, Fan, Yang, Mostafavi and Hu. Generalized demographic parity for group fairness.
ICLR 2022, definition 1; the kernel estimate is their section 3.2.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fairbench_metrics._common import group_means, group_sizes, over_trials, varying
from fairbench_metrics._kernel import gaussian_factor

if TYPE_CHECKING:
    from fairbench.dataset import FloatArray, Protected


def bandwidth(values: FloatArray, /) -> float:
    """Silverman's rule of thumb, 0.9 · min(σ, IQR/1.34) · n^(−1/5); σ alone where IQR is 0."""
    deviation = float(np.std(values, ddof=1))
    low, high = np.quantile(values, [0.25, 0.75])
    scale = min(deviation, float(high - low) / 1.34) or deviation
    return float(0.9 * scale * len(values) ** -0.2)


def _smooth(prediction: FloatArray, values: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Nadaraya–Watson estimate of E[ŷ | s] at each distinct s, (S, u), and its share, (u,)."""
    order = np.argsort(values, kind="stable")
    points, starts, counts = np.unique(values[order], return_index=True, return_counts=True)
    sums = np.add.reduceat(prediction[:, order], starts, axis=-1)
    factor = gaussian_factor((points / bandwidth(values))[None])[0]
    # The kernel matrix is factorᵀ·factor; each point's own weight keeps the divisor above 1.
    means: FloatArray = (sums @ factor.T @ factor) / (counts @ factor.T @ factor)
    return means, counts / len(values)


@over_trials
def generalized_demographic_parity(
    prediction: FloatArray, target: FloatArray, protected: Protected, /
) -> FloatArray:
    """Mean over rows of |E[ŷ | s] − E ŷ|; with two groups 2·p_a·p_b times the mean parity."""
    if protected.kind == "continuous":
        by_value, shares = _smooth(prediction, varying(protected))
    else:
        by_value = group_means(prediction, protected)
        shares = group_sizes(protected) / len(target)
    values: FloatArray = np.abs(by_value - prediction.mean(axis=-1, keepdims=True)) @ shares
    return values
