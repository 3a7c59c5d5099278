"""Rows with similar features receive similar predictions: individual fairness without groups.

Zemel et al. Learning fair representations. ICML 2013, section 4.2.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fairbench.metric import Undefined

if TYPE_CHECKING:
    from fairbench.dataset import FloatArray
    from fairbench.metric import Neighbours

__all__ = ["consistency"]


def consistency(
    prediction: FloatArray, target: FloatArray, neighbours: Neighbours, /
) -> FloatArray:
    """One minus the mean gap between ŷ and the mean ŷ of its nearest rows, (...).

    Predictions (..., n) are taken in units of the targets' range on these rows, so that the
    unit of the target plays no part. A row counts among its own neighbours, as in the paper's
    code. 1 where neighbours are predicted alike; negative where predictions leave the range.

    Raises
    ------
    Undefined
        Where targets are all equal.
    """
    span = float(np.ptp(target))
    if span == 0:
        raise Undefined("all targets are equal, so there is no unit for differences of predictions")
    scaled = np.asarray(prediction, dtype=np.float64) / span
    around = scaled[..., neighbours.index].mean(axis=-1)
    gaps: FloatArray = 1 - np.abs(scaled - around).mean(axis=-1)
    return gaps
