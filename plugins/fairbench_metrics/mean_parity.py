"""Mean parity: groups receive the same prediction on average."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fairbench.metric import Undefined
from fairbench_metrics._common import (
    but_constants,
    comparing,
    group_means,
    group_sizes,
    one_hot,
    quotient,
    spread,
    varies,
)

if TYPE_CHECKING:
    from fairbench.dataset import FloatArray, Protected


def _prediction(prediction: FloatArray, target: FloatArray, protected: Protected) -> FloatArray:
    return prediction


def _scaled(prediction: FloatArray, target: FloatArray, protected: Protected) -> FloatArray:
    """Predictions over their pooled standard deviation within groups, which counts as known."""
    pooled = _pooled(prediction, protected)[:, None]
    return np.divide(prediction, pooled, out=np.zeros_like(prediction), where=pooled > 0)


def _pooled(prediction: FloatArray, protected: Protected) -> FloatArray:
    """Standard deviation of predictions within groups (S,), with n − k degrees of freedom."""
    sizes = group_sizes(protected)
    freedom = sizes.sum() - len(sizes)
    if freedom < 1:
        raise Undefined("the pooled standard deviation needs a group with two rows")
    within = prediction - group_means(prediction, protected) @ one_hot(protected).T
    pooled: FloatArray = np.sqrt(np.square(within).sum(axis=-1) / freedom)
    return pooled


@comparing(_prediction)
def mean_parity(prediction: FloatArray, target: FloatArray, protected: Protected, /) -> FloatArray:
    """Largest minus smallest E[ŷ | g]."""
    return spread(group_means(but_constants(prediction), protected))


@comparing(_scaled)
def mean_parity_scaled(
    prediction: FloatArray, target: FloatArray, protected: Protected, /
) -> FloatArray:
    """Mean parity over the pooled standard deviation of ŷ within groups.

    The pooled variance has n − k degrees of freedom, k the number of groups, as in Cohen's d.

    Raises
    ------
    Undefined
        Where predictions do not vary within any group.
    """
    pooled = _pooled(prediction, protected)
    # Exact: means of equal numbers may differ from them by rounding, so compare the numbers.
    within_some = np.zeros(len(prediction), dtype=bool)
    for g in range(len(protected.labels)):
        within_some |= varies(prediction[:, protected.groups == g])
    gap = spread(group_means(prediction, protected))
    return quotient(gap, pooled, within_some, "predictions do not vary within any group")
