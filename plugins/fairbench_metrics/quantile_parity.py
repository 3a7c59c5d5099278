"""Quantile parity: groups are equally often above each decile of the predictions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fairbench_metrics._common import group_means, over_trials, spread

if TYPE_CHECKING:
    from fairbench.dataset import FloatArray, Protected

DECILES = 10


def _gaps(prediction: FloatArray, protected: Protected) -> FloatArray:
    """Largest difference between groups in P(ŷ ≥ Q_q | g) at each decile, (9, S).

    Q_q is the smallest prediction at or below which a share q of the rows lie, so that it is
    a prediction and the comparison is exact.
    """
    n = prediction.shape[-1]
    ordered = np.sort(prediction, axis=-1)
    gaps = []
    for i in range(1, DECILES):
        rank = -(-n * i // DECILES) - 1  # ceil(q·n) − 1 in whole numbers
        above = prediction >= ordered[:, rank : rank + 1]
        gaps.append(spread(group_means(above.astype(np.float64), protected)))
    return np.stack(gaps)


@over_trials
def quantile_parity(
    prediction: FloatArray, target: FloatArray, protected: Protected, /
) -> FloatArray:
    """Largest over deciles and pairs of |P(ŷ ≥ Q_q | a) − P(ŷ ≥ Q_q | b)|."""
    values: FloatArray = _gaps(prediction, protected).max(axis=0)
    return values


@over_trials
def quantile_parity_mean(
    prediction: FloatArray, target: FloatArray, protected: Protected, /
) -> FloatArray:
    """Mean over deciles of the largest |P(ŷ ≥ Q_q | a) − P(ŷ ≥ Q_q | b)| over pairs."""
    values: FloatArray = _gaps(prediction, protected).mean(axis=0)
    return values
