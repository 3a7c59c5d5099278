"""Rows with similar features receive similar predictions: individual fairness without groups.

Zemel et al. Learning fair representations. ICML 2013, section 4.2.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fairbench.metric import Undefined
from fairbench_metrics._common import varies

if TYPE_CHECKING:
    from fairbench.dataset import FloatArray
    from fairbench.metric import Neighbours

__all__ = ["consistency"]


def consistency(
    prediction: FloatArray, target: FloatArray, neighbours: Neighbours, /
) -> FloatArray:
    """One minus the mean gap between ŷ and the mean ŷ of its 5 nearest rows, (...).

    Predictions (..., n) are taken in units of the targets' range on these rows, so that the
    unit of the target plays no part. A row counts among its own neighbours, as in the paper's
    code, and rows with equal features by the same share, so that the order of rows plays no
    part. 1 where neighbours are predicted alike; negative where predictions leave the range.

    Where rows lie at more than 2,000 places in features, the rows at 2,000 of them are measured,
    drawn with the number of places as the seed: the same for all trials.

    Raises
    ------
    Undefined
        Where targets are all equal.
    """
    span = float(np.ptp(target))
    if not varies(np.asarray(target, dtype=np.float64)):
        raise Undefined("all targets are equal, so there is no unit for differences of predictions")
    array = np.asarray(prediction, dtype=np.float64)
    # Only differences count; equal predictions minus one of them are exactly 0.
    scaled = (array - array[..., :1]) / span
    gaps: FloatArray = np.abs(scaled[..., neighbours.of] - neighbours.means(scaled))
    return np.asarray(1 - gaps.mean(axis=-1), dtype=np.float64)
