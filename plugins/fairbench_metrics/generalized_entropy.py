"""Inequality of the benefits that predictions bring: generalized entropy with α = 2.

Speicher et al. A unified approach to quantifying algorithmic unfairness. KDD 2018, equations 2
and 7. The benefit is b = ŷ − y + 1 of targets mapped onto the unit interval by their range on
these rows, as their benefit of 1 to a correct prediction is stated for such targets.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fairbench_metrics._common import group_means, group_sizes, over_trials, quotient, unit_range

if TYPE_CHECKING:
    from fairbench.dataset import FloatArray, Protected

NEGATIVE = "a prediction is below its target by the whole range of targets: benefit not above 0"


def _benefit(prediction: FloatArray, target: FloatArray) -> FloatArray:
    _, width = unit_range(target)
    return (prediction - target) / width + 1


def _entropy(squares: FloatArray, benefit: FloatArray) -> FloatArray:
    """(E b²/(E b)² − 1)/2, which is 1/(nα(α−1)) Σ [(b/μ)^α − 1] at α = 2."""
    mean = benefit.mean(axis=-1)
    return (quotient(squares, mean**2, benefit.min(axis=-1) > 0, NEGATIVE) - 1) / 2


@over_trials
def generalized_entropy(
    prediction: FloatArray, target: FloatArray, protected: Protected, /
) -> FloatArray:
    """Inequality of benefits among all rows: half the squared coefficient of variation."""
    benefit = _benefit(prediction, target)
    return np.maximum(_entropy(np.square(benefit).mean(axis=-1), benefit), 0.0)


@over_trials
def generalized_entropy_between(
    prediction: FloatArray, target: FloatArray, protected: Protected, /
) -> FloatArray:
    """The part of it between groups: every benefit replaced by its group's mean."""
    benefit = _benefit(prediction, target)
    shares = group_sizes(protected) / len(target)
    squares = np.square(group_means(benefit, protected)) @ shares
    return np.maximum(_entropy(squares, benefit), 0.0)
