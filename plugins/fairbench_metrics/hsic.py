"""Dependence of predictions and the protected attribute by kernels: HSIC and CKA.

Gretton, Bousquet, Smola and Schölkopf. Measuring statistical dependence with Hilbert–Schmidt
norms. ALT 2005, definition 2; Kornblith et al. Similarity of neural network representations
revisited. ICML 2019, equation 4. The kernel of ŷ, and of a continuous attribute, is Gaussian
with the standard deviation on these rows as its bandwidth; that of a discrete one is 1[a = a′].
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fairbench_metrics._common import (
    group_sizes,
    one_hot,
    over_trials,
    quotient,
    standardised,
    varying,
)
from fairbench_metrics._kernel import gaussian_factor

if TYPE_CHECKING:
    from fairbench.dataset import FloatArray, Protected

_BLOCK = 2**14  # predictions whose factors are held at once: a few megabytes


def _norms(prediction: FloatArray, protected: Protected) -> tuple[FloatArray, FloatArray, float]:
    """tr(KHLH) and tr(KHKH) by trial, (S,), and tr(LHLH)."""
    if protected.kind == "continuous":
        own = gaussian_factor(standardised(varying(protected))[None])[0]
    else:
        group_sizes(protected)
        own = one_hot(protected).T
    own = own - own.mean(axis=-1, keepdims=True)
    cross, square = np.empty(len(prediction)), np.empty(len(prediction))
    step = max(1, _BLOCK // prediction.shape[-1])
    for start in range(0, len(prediction), step):
        block = slice(start, start + step)
        factor = gaussian_factor(standardised(prediction[block]))
        factor -= factor.mean(axis=-1, keepdims=True)
        cross[block] = np.square(factor @ own.T).sum(axis=(1, 2))
        square[block] = np.square(factor @ factor.swapaxes(1, 2)).sum(axis=(1, 2))
    return cross, square, float(np.square(own @ own.T).sum())


@over_trials
def hsic(prediction: FloatArray, target: FloatArray, protected: Protected, /) -> FloatArray:
    """tr(KHLH)/(n − 1)²: 0 where independent, unnormalised."""
    cross, _, _ = _norms(prediction, protected)
    values: FloatArray = cross / (len(target) - 1) ** 2
    return values


@over_trials
def cka(prediction: FloatArray, target: FloatArray, protected: Protected, /) -> FloatArray:
    """HSIC(ŷ, A)/√(HSIC(ŷ, ŷ) HSIC(A, A)), between 0 and 1.

    Raises
    ------
    Undefined
        Where the predictions of a trial are all equal.
    """
    cross, square, own = _norms(prediction, protected)
    varies = np.ptp(prediction, axis=-1) > 0
    return quotient(cross, np.sqrt(square * own), varies, "the predictions are all equal")
