"""Rows, or clusters as a whole, dealt into folds at random and evenly."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from fairbench.dataset import Dataset, FloatArray, IntArray

__all__ = ["Units", "deal", "judged_groups", "units_of"]

DRAWS = 20
"""Deals of clusters of which the best balanced one is taken."""

MOST_DRAWS = 2000
"""Deals after which it is given up to put every judged group into every fold."""


@dataclass(frozen=True)
class Units:
    """The u rows, or u clusters, that are dealt.

    Attributes
    ----------
    of_row : (n,) int
        The unit every row belongs to.
    size : (u,) int
        Rows of each unit.
    members : (u, g) int
        Those of each judged group.
    target : (u,) float
        Their mean of the main target.
    """

    of_row: IntArray
    size: IntArray
    members: IntArray
    target: FloatArray

    @cached_property
    def holders(self) -> IntArray:
        """Number of units (g,) that have a row of each judged group."""
        units: IntArray = (self.members > 0).sum(axis=0)
        return units

    @cached_property
    def strata(self) -> list[tuple[int, IntArray]]:
        """Judged groups from the rarest on, each with the units that hold it and none before it.

        Last, as group −1, the units of no judged group: small groups are dealt together.
        """
        free = np.ones(len(self.size), dtype=bool)
        found = []
        for group in np.argsort(self.holders, kind="stable").tolist():
            inside = free & (self.members[:, group] > 0)
            free &= ~inside
            found.append((group, np.flatnonzero(inside)))
        return [*found, (-1, np.flatnonzero(free))]


def judged_groups(dataset: Dataset, /) -> list[int]:
    """Codes of the groups of the first protected attribute that a disparity is made of."""
    attribute = dataset.protected[0]
    return [code for code, label in enumerate(attribute.labels) if label not in attribute.small]


def units_of(dataset: Dataset, /) -> Units:
    """The rows of `dataset`, or its clusters where it has them."""
    groups = dataset.protected[0].groups
    members = groups[:, None] == np.array(judged_groups(dataset))
    target = dataset.targets[:, 0]
    if dataset.clusters is None:
        every = np.arange(dataset.rows)
        return Units(every, np.ones_like(every), members.astype(np.int64), target)
    of_row = np.unique(dataset.clusters, return_inverse=True)[1].reshape(-1)
    size = np.bincount(of_row)
    held = [np.bincount(of_row[inside], minlength=len(size)) for inside in members.T]
    total = np.bincount(of_row, weights=target)
    return Units(of_row, size, np.stack(held, axis=1), total / size)


def deal(units: Units, folds: int, state: np.random.RandomState, /) -> IntArray | None:
    """The fold of every unit (u,), such that every fold has a row of every judged group.

    Rows are dealt once, see `_dealt`: that makes their folds equal. Clusters differ in size and
    may hold several groups, so of `DRAWS` deals the one with the least `_imbalance` is taken.
    That leaves one deal in twenty possible, enough for hundreds of different folds of a dozen
    clusters. The folds are numbered at random afterwards: every unit is as likely as any
    other to be in a given one.

    Returns
    -------
    ndarray or None
        None where no deal was found that puts every judged group into every fold.
    """
    draws = 1 if (units.size == 1).all() else DRAWS
    best, least = None, np.inf
    for draw in range(MOST_DRAWS):
        if draw >= draws and best is not None:
            break
        fold = _dealt(units, folds, state)
        imbalance = _imbalance(units, fold, folds)
        if imbalance < least:
            best, least = fold, imbalance
    return None if best is None else state.permutation(folds)[best]


def _dealt(units: Units, folds: int, state: np.random.RandomState) -> IntArray:
    """Units dealt like cards: shuffled within blocks, and one to each fold, round by round.

    A stratum's dealing begins with folds that lack its group, then those with fewest units, so
    that all get the same number of units, and of each group, up to one.
    """
    fold = np.empty(len(units.size), dtype=np.int64)
    dealt = np.zeros(folds, dtype=np.int64)
    holding = np.zeros((folds, units.members.shape[1]), dtype=np.int64)
    for group, inside in units.strata:
        blocks = _blocks(units, state.permutation(inside), folds)
        turns = np.concatenate([state.permutation(block) for block in blocks])
        has = holding[:, group] > 0 if group >= 0 else np.zeros(folds, dtype=bool)
        first = np.lexsort((state.random_sample(folds), dealt, has))
        fold[turns] = first[np.arange(len(turns)) % folds]
        dealt += np.bincount(fold[turns], minlength=folds)
        np.add.at(holding, fold[turns], units.members[turns] > 0)
    return fold


def _blocks(units: Units, inside: IntArray, folds: int) -> list[IntArray]:
    """`inside` in blocks that spread over the folds, ties being in the order of `inside`.

    Units of different sizes: the largest `folds` of them, the next, and so on. Units of one
    size: the lower and the upper half by target. Finer strata of the target would make folds
    more alike than samples are, and intervals too narrow (docs/statistics.md).
    """
    if np.ptp(units.size) == 0:
        return np.array_split(inside[np.argsort(units.target[inside], kind="stable")], 2)
    ordered = inside[np.argsort(-units.size[inside], kind="stable")]
    return np.array_split(ordered, range(folds, len(ordered), folds))


def _imbalance(units: Units, fold: IntArray, folds: int) -> float:
    """Measure how far folds are from equal: three mean squares added; infinite without a group.

    The relative deviation of a fold's rows, of its rows of each judged group (mean over
    groups), and its mean target's deviation in standard deviations between units.
    """

    def per_fold(weights: FloatArray | IntArray) -> FloatArray:
        return np.bincount(fold, weights=weights, minlength=folds).astype(np.float64)

    groups = np.stack([per_fold(held) for held in units.members.T])
    rows = per_fold(units.size)
    if (groups == 0).any() or (rows == 0).any():
        return float("inf")
    counts = np.vstack([rows, groups])
    uneven = np.square(counts / counts.mean(axis=1, keepdims=True) - 1).mean(axis=1)
    mean = np.average(units.target, weights=units.size)
    variance = np.average(np.square(units.target - mean), weights=units.size)
    off = np.square(per_fold(units.size * units.target) / rows - mean).mean()
    return float(uneven[0] + uneven[1:].mean() + (off / variance if variance > 0 else 0.0))
