"""Protocols: how rows are split, what is selected on what, and how a dataset is trained."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar, Literal

from fairbench.training import Training

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fairbench.dataset import Dataset, DatasetSpec
    from fairbench.fold import Split

__all__ = ["Protocol", "Selection"]

Selection = Literal["validation", "test"]


class Protocol(ABC):
    """Subclasses are frozen dataclasses whose fields are the protocol's options.

    Attributes
    ----------
    selection
        The part on which trade-off points are selected. Reports always quote test rows.
    label
        One sentence for reports: what this protocol does and what it does not protect from.
    """

    selection: ClassVar[Selection] = "validation"
    label: ClassVar[str]

    @property
    def test_share(self) -> float | None:
        """The share of the rows that are meant to be test; None where it is not fixed."""
        return None

    @abstractmethod
    def split(self, dataset: Dataset, seed: int, /) -> Split:
        """The split of `dataset` that `seed` draws."""

    def splits(self, dataset: Dataset, seeds: Sequence[int], /) -> tuple[Split, ...]:
        """The splits 0, 1, … of `dataset`, one for each of `seeds`.

        Each is drawn by itself unless a protocol overrides this to make consecutive splits
        belong together, as folds do that take turns. Split k must not depend on how many
        follow it.
        """
        return tuple(self.split(dataset, seed) for seed in seeds)

    def dataset(self, spec: DatasetSpec, /) -> DatasetSpec:
        """`spec` with what this protocol prescribes, where the user left it open."""
        return spec

    def training(self, dataset: str, /) -> Training:
        """Settings for the dataset of that name, before the user's own."""
        return Training()

    def options(self, method: str, dataset: str, /) -> Mapping[str, object]:
        """Options this protocol prescribes to a method on a dataset, before the user's own."""
        return {}
