"""Normalised (conditional) mutual information of binned predictions, targets and groups.

Steinberg, Reid, O'Callaghan, Lattimore, McCalman and Caetano. Fast fair regression via
efficient approximations of mutual information. 2020. The estimate is the plug-in one over
quantile bins, whose bias above zero is about (bins − 1)(k − 1)/(2n) over the entropy, and as
many times larger when conditioned as there are bins to condition on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fairbench_metrics._common import (
    BINS,
    counts_by_group,
    group_sizes,
    over_trials,
    quantile_bins,
    quotient,
)

if TYPE_CHECKING:
    from fairbench.dataset import FloatArray, Protected

NO_ENTROPY = "the groups follow from what is conditioned on: H(A | ·) is 0"


def _entropy(counts: FloatArray) -> FloatArray:
    """Entropy in nats over the last two axes of counts (S, cells, k)."""
    shares = counts / counts.sum(axis=(-2, -1), keepdims=True)
    logs = np.log(shares, out=np.zeros_like(shares), where=shares > 0)
    values: FloatArray = -(shares * logs).sum(axis=(-2, -1))
    return values


def _uncertainty(counts: FloatArray) -> FloatArray:
    """H(A | cell) from counts (S, cells, k)."""
    return _entropy(counts) - _entropy(counts.sum(axis=-1, keepdims=True))


def _normalised(without: FloatArray, given: FloatArray) -> FloatArray:
    """(H(A | without) − H(A | given)) / H(A | without)."""
    # Rounding leaves some 1e-16 of an entropy that is 0, and of information that is 0.
    told = without - given
    told = np.where(told > 1e-14, told, 0.0)
    return quotient(told, without, without > 1e-12, NO_ENTROPY)


def _joint(prediction: FloatArray, target: FloatArray, protected: Protected) -> FloatArray:
    """Rows of each group in each bin of target and prediction, (S, BINS, BINS, k)."""
    group_sizes(protected)
    codes = quantile_bins(target, BINS) * BINS + quantile_bins(prediction, BINS)
    counts = counts_by_group(codes, BINS * BINS, protected)
    return counts.reshape(len(prediction), BINS, BINS, -1)


def _flat(counts: FloatArray) -> FloatArray:
    return counts.reshape(len(counts), -1, counts.shape[-1])


@over_trials
def independence_information(
    prediction: FloatArray, target: FloatArray, protected: Protected, /
) -> FloatArray:
    """I(ŷ; A) / H(A)."""
    counts = _joint(prediction, target, protected).sum(axis=1)
    return _normalised(_uncertainty(counts.sum(axis=1, keepdims=True)), _uncertainty(counts))


@over_trials
def separation_information(
    prediction: FloatArray, target: FloatArray, protected: Protected, /
) -> FloatArray:
    """I(ŷ; A | Y) / H(A | Y)."""
    counts = _joint(prediction, target, protected)
    return _normalised(_uncertainty(counts.sum(axis=2)), _uncertainty(_flat(counts)))


@over_trials
def sufficiency_information(
    prediction: FloatArray, target: FloatArray, protected: Protected, /
) -> FloatArray:
    """I(Y; A | ŷ) / H(A | ŷ)."""
    counts = _joint(prediction, target, protected)
    return _normalised(_uncertainty(counts.sum(axis=1)), _uncertainty(_flat(counts)))
