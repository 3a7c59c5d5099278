"""Distance correlation of predictions and the protected attribute.

Székely, Rizzo and Bakirov. Measuring and testing dependence by correlation of distances.
Annals of Statistics 2007, definition 4: the V-statistic, 0 where either is constant. Distances
are |ŷ − ŷ′|, |a − a′| for a continuous attribute and 1[a ≠ a′] for a discrete one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fairbench_metrics._common import group_sizes, over_trials, varying
from fairbench_metrics._merge import merges

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from fairbench.dataset import FloatArray, IntArray, Protected


def _row_sums(values: FloatArray) -> FloatArray:
    """Σ_j |x_i − x_j| for each i, along the last axis of (S, n)."""
    n = values.shape[-1]
    order = np.argsort(values, axis=-1)
    ordered = np.take_along_axis(values, order, axis=-1)
    below = np.cumsum(ordered, axis=-1)
    sums = ordered * (2 * np.arange(1, n + 1) - n) + below[:, -1:] - 2 * below
    result: FloatArray = np.empty_like(sums)
    np.put_along_axis(result, order, sums, axis=-1)
    return result


def _squares(values: FloatArray) -> FloatArray:
    """Σ_ij (x_i − x_j)² of centred values (S, n)."""
    sums: FloatArray = 2 * values.shape[-1] * np.square(values).sum(axis=-1)
    return sums


def _products(values: FloatArray, attribute: FloatArray) -> FloatArray:
    """Σ_ij |x_i − x_j| |a_i − a_j| for values (S, n) and an attribute (n,)."""
    order = np.argsort(attribute, kind="stable")
    attribute, values = attribute[order], values[:, order]
    by_value = np.argsort(values, axis=-1)
    ranks = np.empty_like(by_value)
    np.put_along_axis(ranks, by_value, np.arange(values.shape[-1])[None], axis=-1)
    ordered = np.take_along_axis(values, by_value, axis=-1)
    total = np.zeros(len(values))
    for place, rank, right in merges(ranks):
        total += _crossing(ordered, attribute, place, rank, right)
    return 2 * total


def _crossing(
    ordered: FloatArray,
    attribute: FloatArray,
    place: IntArray,
    rank: IntArray,
    right: NDArray[np.bool_],
) -> FloatArray:
    """The sum over pairs that meet at one level of `merges`, (S,).

    |x_l − x_r| is the sum of the gaps between successive x that the pair spans, so that the sum
    is that of gap × Σ (a_r − a_l) over the pairs that span it, all terms being non-negative.
    """
    n = len(attribute)
    real = place < n
    weight = np.where(right, 1.0, -1.0) * real
    signed = attribute[np.minimum(place, n - 1)] * weight
    # Of the rows so far in the order of x: number and attribute, left and right.
    count_right = np.cumsum(right & real, axis=-1)
    count_left: IntArray = np.cumsum(real, axis=-1) - count_right
    sum_right = np.cumsum(np.where(right, signed, 0.0), axis=-1)
    sum_left = sum_right - np.cumsum(signed, axis=-1)
    spanned = (
        count_left * (sum_right[..., -1:] - sum_right)
        - sum_left * (count_right[..., -1:] - count_right)
        + (count_left[..., -1:] - count_left) * sum_right
        - (sum_left[..., -1:] - sum_left) * count_right
    )
    flat = np.minimum(rank, n - 1).reshape(len(ordered), -1)
    x = np.take_along_axis(ordered, flat, axis=-1).reshape(rank.shape)
    values: FloatArray = np.einsum("sbw,sbw->s", spanned[..., :-1], np.diff(x, axis=-1))
    return values


@over_trials
def distance_correlation(
    prediction: FloatArray, target: FloatArray, protected: Protected, /
) -> FloatArray:
    """√(dCov²(ŷ, A) / √(dVar²(ŷ) dVar²(A))), between 0 and 1."""
    n = len(target)
    x = prediction - prediction.mean(axis=-1, keepdims=True)
    by_row = _row_sums(x)
    total = by_row.sum(axis=-1)
    if protected.kind == "continuous":
        a = varying(protected) - protected.values.mean()
        distances = _row_sums(a[None])[0]
        products, squares = _products(x, a), _squares(a[None])[0]
    else:
        sizes = group_sizes(protected)
        distances = n - sizes[protected.groups]
        within = [_row_sums(x[:, protected.groups == g]).sum(axis=-1) for g in range(len(sizes))]
        products, squares = total - np.sum(within, axis=0), distances.sum()
    covariance = _centred(products, by_row @ distances, total * distances.sum(), n)
    variance = _centred(_squares(x), np.square(by_row).sum(axis=-1), total**2, n)
    own = _centred(squares, distances @ distances, distances.sum() ** 2, n)
    scale = np.sqrt(np.maximum(variance, 0) * own)
    varies = (np.ptp(prediction, axis=-1) > 0) & (scale > 0)
    ratio: FloatArray = np.divide(covariance, scale, out=np.zeros_like(total), where=varies)
    return np.sqrt(np.clip(ratio, 0.0, 1.0))


def _centred(
    products: FloatArray, row_products: FloatArray, total_product: FloatArray, n: int
) -> FloatArray:
    """Mean product of two doubly centred distance matrices, from sums over the plain ones."""
    means: FloatArray = products / n**2 - 2 * row_products / n**3 + total_product / n**4
    return means
