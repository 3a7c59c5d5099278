"""Distribution parity: groups receive the same distribution of predictions."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from fairbench_metrics._common import but_constants, group_sizes, over_trials

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from fairbench.dataset import FloatArray, Protected


def _cdfs(
    prediction: FloatArray, protected: Protected
) -> tuple[FloatArray, FloatArray, NDArray[np.bool_]]:
    """Sorted predictions (S, n), each group's F there (k, S, n), and where a run of ties ends.

    Only at the end of a run of ties are the values those of the distribution functions.
    """
    sizes = group_sizes(protected)
    order = np.argsort(prediction, axis=-1)
    values = np.take_along_axis(prediction, order, axis=-1)
    groups = protected.groups[order]
    cdfs = np.stack([np.cumsum(groups == g, axis=-1) / size for g, size in enumerate(sizes)])
    ends = np.ones(values.shape, dtype=bool)
    ends[:, :-1] = values[:, 1:] > values[:, :-1]
    return values, cdfs, ends


@over_trials
def ks_parity(prediction: FloatArray, target: FloatArray, protected: Protected, /) -> FloatArray:
    """Largest sup |F_g − F|, F over all rows (Agarwal, Dudík and Wu 2019, definition 1)."""
    _, cdfs, ends = _cdfs(prediction, protected)
    whole = np.arange(1, prediction.shape[-1] + 1) / prediction.shape[-1]
    values: FloatArray = np.where(ends, np.abs(cdfs - whole).max(axis=0), 0.0).max(axis=-1)
    return values


@over_trials
def ks_parity_pairwise(
    prediction: FloatArray, target: FloatArray, protected: Protected, /
) -> FloatArray:
    """Largest over pairs of sup |F_a − F_b| (Chzhen et al. 2020)."""
    _, cdfs, ends = _cdfs(prediction, protected)
    values: FloatArray = np.where(ends, np.ptp(cdfs, axis=0), 0.0).max(axis=-1)
    return values


@over_trials
def wasserstein_parity(
    prediction: FloatArray, target: FloatArray, protected: Protected, /
) -> FloatArray:
    """Largest W₁ between two groups, the area between their distribution functions."""
    values, cdfs, _ = _cdfs(prediction, protected)
    widths = np.diff(values, axis=-1)
    worst = np.zeros(len(prediction))
    for a, b in combinations(range(len(cdfs)), 2):
        area = np.sum(np.abs(cdfs[a] - cdfs[b])[:, :-1] * widths, axis=-1)
        worst = np.maximum(worst, area)
    return worst


@over_trials
def wasserstein_barycenter(
    prediction: FloatArray, target: FloatArray, protected: Protected, /
) -> FloatArray:
    """Σ p_g W₂²(D_g, barycenter): what it costs to move every group to one distribution.

    Exact, as the quantile function of the barycenter is Σ p_g Q_g (Chzhen et al. 2020,
    theorem 2.3): all Q_g are constant between the multiples of 1/n_g.
    """
    prediction, sizes = but_constants(prediction), group_sizes(protected)
    shares = sizes / sizes.sum()
    grid = np.unique(np.concatenate([np.arange(1, s + 1) / s for s in sizes]))
    widths = np.diff(grid, prepend=0.0)
    middles = grid - widths / 2
    quantiles = np.stack(
        [
            np.sort(prediction[:, protected.groups == g], axis=-1)[
                :, np.minimum((middles * size).astype(np.int64), int(size) - 1)
            ]
            for g, size in enumerate(sizes)
        ]
    )
    barycenter = np.tensordot(shares, quantiles, axes=1)
    costs = np.square(quantiles - barycenter) @ widths
    values: FloatArray = shares @ costs
    return values
