"""What a metric compares between groups, with its uncertainty: from stored predictions alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import scipy

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fairbench.analyze.held_out import HeldOut
    from fairbench.dataset import FloatArray, IntArray, Protected
    from fairbench.metric import RowValues

__all__ = ["GroupValues", "compared_labels", "group_values", "largest_t", "units_of", "welch_p"]


@dataclass(frozen=True)
class GroupValues:
    """Values of k groups, means over splits and seeds, and what each unit adds to them.

    A unit is a row of the dataset, or a cluster where it has clusters: rows of one unit, and the
    same row in several splits, are one observation.

    Attributes
    ----------
    values : (k,)
        In the metric's unit.
    contributions : (u, k)
        By how much each unit moves each value from its expectation, to first order; they sum
        to zero over units.
    members : (k,) int
        Units with a row in the group.
    """

    values: FloatArray
    contributions: FloatArray
    members: IntArray

    @property
    def covariance(self) -> FloatArray:
        """Of the values (k, k), from the spread over units; NaN for a group of a single unit.

        Groups are as spread as their own units are: nothing is pooled. Where units have rows of
        several groups, their values are correlated, and that is counted.
        """
        with np.errstate(divide="ignore", invalid="ignore"):
            small = np.sqrt(self.members / (self.members - 1.0))
            found: FloatArray = self.contributions.T @ self.contributions * np.outer(small, small)
        return found

    @property
    def differences(self) -> tuple[FloatArray, FloatArray]:
        """Value of g minus that of h, and its standard error, both (k, k)."""
        own = self.covariance
        variance = np.diag(own)[:, None] + np.diag(own)[None, :] - 2 * own
        return self.values[:, None] - self.values[None, :], np.sqrt(np.maximum(variance, 0.0))


def units_of(clusters: IntArray | None, rows: int, /) -> IntArray:
    """Codes 0 … u−1 of what was sampled, for every row (n,): rows, or clusters."""
    if clusters is None:
        return np.arange(rows, dtype=np.int64)
    return np.asarray(np.unique(clusters, return_inverse=True)[1], dtype=np.int64)


def compared_labels(protected: Protected, /) -> tuple[str, ...]:
    """Labels of the groups that are compared, in the order of `GroupValues.values`."""
    return tuple(label for label in protected.labels if label not in protected.small)


def group_values(
    by_row: RowValues,
    protected: Protected,
    units: IntArray,
    splits: Sequence[HeldOut],
    /,
) -> GroupValues | None:
    """Mean of row values by group over splits and seeds; None where no split has every group.

    Groups too small to be compared are left out, see `compared_labels` for the others.

    Parameters
    ----------
    by_row
        The metric's row values, see `fairbench.metric.ComparesMeans`.
    protected
        The attribute on all N rows of the dataset.
    units : (N,) int
        Codes 0 … u−1 of what was sampled: rows, or clusters.
    splits
        Test rows and predictions of each split.
    """
    k, count = len(compared_labels(protected)), int(units.max()) + 1
    values, used = np.zeros(k), 0
    contributions = np.zeros(count * k)
    present = np.zeros(count * k, dtype=bool)
    for tested in splits:
        labels = protected.rows(tested.rows)
        prediction, target, rows = tested.prediction, tested.target, tested.rows
        if protected.small:
            kept = labels.is_compared
            prediction, target, rows = prediction[:, kept], target[kept], rows[kept]
            labels = labels.compared()
        sizes = np.bincount(labels.groups, minlength=k)
        if not sizes.all():
            continue
        row = by_row(prediction, target, labels).mean(axis=0)
        means = np.bincount(labels.groups, row, minlength=k) / sizes
        place = units[rows] * k + labels.groups
        moved = (row - means[labels.groups]) / sizes[labels.groups]
        contributions += np.bincount(place, moved, minlength=count * k)
        present[place] = True
        values += means
        used += 1
    if not used:
        return None
    members = present.reshape(count, k).sum(axis=0)
    return GroupValues(values / used, contributions.reshape(count, k) / used, members)


def largest_t(found: GroupValues, /) -> float:
    """Largest difference of two groups in its own standard errors; NaN without a pair.

    Groups of a single unit are left out: nothing tells how spread they are.
    """
    difference, error = found.differences
    known = np.isfinite(error) & ~np.eye(len(error), dtype=bool)
    if not known.any():
        return float("nan")
    gap, error = np.abs(difference[known]), error[known]
    with np.errstate(divide="ignore", invalid="ignore"):
        t = np.where(gap > 0, gap / error, 0.0)
    return float(t.max())


def welch_p(found: GroupValues, /) -> float:
    """p-value of all groups having one value, from F; NaN where it cannot be known.

    Welch (1951, On the comparison of several mean values) where every unit is of one group;
    Hotelling's T² of the differences to the first group where units have rows of several.
    """
    keep = np.flatnonzero(found.members > 1)
    k = len(keep)
    values, own = found.values[keep], found.covariance[np.ix_(keep, keep)]
    if k < 2 or not (np.diag(own) > 0).all():
        return float("nan")
    inside = (found.contributions[:, keep] != 0).sum(axis=1)
    if (inside > 1).any():
        units = int((inside > 0).sum())
        contrast = np.eye(k)[1:] - np.eye(k)[0]
        gap, spread = contrast @ values, contrast @ own @ contrast.T
        free = units - k + 1
        if free < 1 or np.linalg.matrix_rank(spread) < k - 1:
            return float("nan")
        t2 = float(gap @ np.linalg.solve(spread, gap))
        return float(scipy.stats.f.sf(t2 * free / ((units - 1) * (k - 1)), k - 1, free))
    weight = 1 / np.diag(own)
    centre = weight @ values / weight.sum()
    off = float(((1 - weight / weight.sum()) ** 2 / (found.members[keep] - 1)).sum())
    between = float(weight @ (values - centre) ** 2) / (k - 1)
    f = between / (1 + 2 * (k - 2) / (k**2 - 1) * off)
    return float(scipy.stats.f.sf(f, k - 1, (k**2 - 1) / (3 * off)))
