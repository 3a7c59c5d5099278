"""The core's own protocol."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar

import numpy as np
from annotated_types import Ge

from fairbench.deal import Units, deal, judged_groups, units_of
from fairbench.errors import StudyError
from fairbench.fold import Split
from fairbench.protocol import Protocol, Selection

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fairbench.dataset import Dataset

__all__ = ["Honest"]

_MEND = (
    "let the disparity leave out small groups with --min-group, merge groups with --merge-groups, "
    "or use fewer folds"
)


@dataclass(frozen=True)
class Honest(Protocol):
    """Rotating folds, stratified, that keep clusters whole; selection on validation.

    Rows, or clusters, are dealt into folds of about the same size, with about the same share of
    each group of the first protected attribute and of each half of the target. One fold is
    test, the next one validation, the others train: with five folds 20, 20 and 60 %. The next
    split moves on by one fold, until each has been test once; then all are dealt anew.

    Parameters
    ----------
    folds
        Number of folds the rows are dealt into.
    """

    selection: ClassVar[Selection] = "validation"
    label: ClassVar[str] = (
        "Clusters stay whole, groups are stratified, folds rotate until every row was tested, "
        "scaling is fitted on training rows, trade-off points are selected on validation and "
        "reported on test."
    )

    folds: Annotated[int, Ge(3)] = 5

    @property
    def test_share(self) -> float:
        """One fold."""
        return 1 / self.folds

    def split(self, dataset: Dataset, seed: int, /) -> Split:
        return self.splits(dataset, [seed])[0]

    def splits(self, dataset: Dataset, seeds: Sequence[int], /) -> tuple[Split, ...]:
        """Split k belongs to block k // folds, dealt by the seed of its first split."""
        units = units_of(dataset)
        self._check_members(dataset, units)
        found = []
        for number, seed in enumerate(seeds):
            turn = number % self.folds
            if turn == 0:
                state = np.random.RandomState(np.random.MT19937(seed))  # its stream never changes
                dealt = deal(units, self.folds, state)
                if dealt is None:
                    raise StudyError(
                        f"no deal of the {len(units.size)} values of {dataset.cluster_name!r} into "
                        f"{self.folds} folds was found that puts every group into each of them",
                        where=_where(dataset),
                        hint=_MEND,
                    )
                fold = dealt[units.of_row]
            test, validation = fold == turn, fold == (turn + 1) % self.folds
            parts = (~(test | validation), validation, test)
            found.append(Split(*(np.flatnonzero(part) for part in parts)))
        return tuple(found)

    def _check_members(self, dataset: Dataset, units: Units) -> None:
        """Refuse a judged group with fewer members (rows, or clusters) than there are folds."""
        what = "rows" if dataset.clusters is None else f"values of {dataset.cluster_name!r}"
        labels = dataset.protected[0].labels
        for code, members in zip(judged_groups(dataset), units.holders.tolist(), strict=True):
            if members < self.folds:
                raise StudyError(
                    f"group {labels[code]!r} has {members} {what}, too few for {self.folds} folds",
                    where=_where(dataset),
                    hint=_MEND,
                )
        if len(units.size) < self.folds:
            raise StudyError(
                f"{len(units.size)} {what} are too few for {self.folds} folds",
                where=f"dataset {dataset.name!r}",
                hint="use fewer folds, or another --cluster",
            )


def _where(dataset: Dataset) -> str:
    return f"dataset {dataset.name!r}, protected attribute {dataset.protected[0].name!r}"
