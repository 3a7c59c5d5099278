"""The core's own protocol."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar

import numpy as np
from annotated_types import Ge

from fairbench.errors import StudyError
from fairbench.protocol import Protocol, Selection, Split

if TYPE_CHECKING:
    from fairbench.dataset import Dataset, IntArray

__all__ = ["Honest", "check_groups"]


@dataclass(frozen=True)
class Honest(Protocol):
    """Repeated stratified splits that keep clusters whole; selection on validation.

    Every fold has about the same share of each group of the first protected attribute. One
    fold is test, one validation, the others train: with five folds 60, 20 and 20 %.

    Parameters
    ----------
    folds
        Number of folds the rows are dealt into.
    """

    selection: ClassVar[Selection] = "validation"
    label: ClassVar[str] = (
        "Clusters stay whole, groups are stratified, scaling is fitted on training rows, "
        "trade-off points are selected on validation and reported on test."
    )

    folds: Annotated[int, Ge(3)] = 5

    def split(self, dataset: Dataset, seed: int, /) -> Split:
        from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

        groups = dataset.protected[0].groups
        self._check_members(dataset, groups)
        state = np.random.RandomState(np.random.MT19937(seed))
        if dataset.clusters is None:
            splitter = StratifiedKFold(self.folds, shuffle=True, random_state=state)
        else:
            splitter = StratifiedGroupKFold(self.folds, shuffle=True, random_state=state)
        fold = np.empty(dataset.rows, dtype=np.int64)
        dealt = splitter.split(np.zeros(dataset.rows), groups, dataset.clusters)
        for number, (_, held_out) in enumerate(dealt):
            fold[held_out] = number
        return Split(*(np.flatnonzero(part) for part in (fold > 1, fold == 1, fold == 0)))

    def _check_members(self, dataset: Dataset, groups: IntArray) -> None:
        """Refuse a group with fewer members (rows, or clusters) than there are folds."""
        for number, label in enumerate(dataset.protected[0].labels):
            inside = groups == number
            clusters = dataset.clusters
            members = inside.sum() if clusters is None else np.unique(clusters[inside]).size
            if members < self.folds:
                what = "rows" if clusters is None else f"values of {dataset.cluster_name!r}"
                raise StudyError(
                    f"group {label!r} has {members} {what}, too few for {self.folds} folds",
                    where=f"dataset {dataset.name!r}, protected attribute "
                    f"{dataset.protected[0].name!r}",
                    mend="choose another protected attribute, merge its groups, or use fewer folds",
                )


def check_groups(dataset: Dataset, split: Split, number: int, /) -> None:
    """Refuse a split in which a group of the first protected attribute has no row in a part."""
    attribute = dataset.protected[0]
    for part in ("train", "validation", "test"):
        rows = split[part]
        if not rows.size and part == "validation":
            continue
        counts = np.bincount(attribute.groups[rows], minlength=len(attribute.labels))
        if (empty := np.flatnonzero(counts == 0)).size:
            raise StudyError(
                f"group {attribute.labels[empty[0]]!r} has no {part} row in split {number}",
                where=f"dataset {dataset.name!r}, protected attribute {attribute.name!r}",
                mend="choose another protected attribute, merge its groups, or another --entropy",
            )
