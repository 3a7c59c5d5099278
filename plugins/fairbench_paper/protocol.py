"""The paper's protocol: what its text says, with the choices it leaves open as options."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Annotated, ClassVar, Literal

import numpy as np
from annotated_types import Gt, Lt

from fairbench.dataset import Dataset, DatasetSpec
from fairbench.errors import StudyError
from fairbench.fold import Split
from fairbench.protocol import Protocol, Selection
from fairbench.training import Training

__all__ = ["Paper"]

HELD_OUT = 0.2
"""Test share; the paper gives none, and 80/20 is its field's habit."""


@dataclass(frozen=True)
class Paper(Protocol):
    """Rows split at random, fronts selected on the very rows they are reported on (Section 4).

    Parkinson trains 50 epochs at learning rate 0.01 without early stopping; Boston up to 150
    at 0.001, stopping early, its α values in warm-started blocks of five. Other datasets are
    trained as Parkinson. The two groups of a continuous attribute are cut at the median of the
    whole table. Features are standardised on training rows, which the paper does not mention.

    Parameters
    ----------
    subject
        Whether Parkinson's patient number is an input. The printed errors are only reached
        with it, since recordings of one patient then stand on both sides of the split.
    age
        Whether Parkinson's age is an input.
    total_updrs
        Whether Parkinson's total_UPDRS is an input, a score that contains the target.
    z_input
        Whether the protected attribute that is predicted (sex, B) is an input too.
    y_scaled
        Whether the target is standardised on training rows. The paper mentions no scaling; in
        its own units the target's loss weighs that much more.
    epochs
        Most epochs on Boston: the paper states 250 before the fairness term, 150 with it.
    chain
        Number of neighbouring α values trained one from the other on Boston; 1 starts each
        afresh.
    early_stopping
        The rows on which Boston's stopping (patience 10, least improvement 1e-4) is decided:
        ``validation`` takes a fifth of the training rows, ``test`` the test rows themselves,
        as a validation loss sometimes turns out to be; ``off`` trains all epochs.
    test_share
        Share of the rows held out for testing.
    """

    selection: ClassVar[Selection] = "test"
    label: ClassVar[str] = (
        "The paper's protocol: rows are split at random even where they belong to one person, "
        "and trade-off points are selected on the test rows they are reported on, which makes "
        "every method look better than it is."
    )

    subject: bool = True
    age: bool = True
    total_updrs: bool = False
    z_input: bool = False
    y_scaled: bool = False
    epochs: Literal[150, 250] = 150
    chain: Literal[1, 5] = 5
    early_stopping: Literal["validation", "test", "off"] = "validation"
    test_share: Annotated[float, Gt(0), Lt(1)] = HELD_OUT

    def dataset(self, spec: DatasetSpec, /) -> DatasetSpec:
        if spec.features:
            return spec
        return replace(spec, features=tuple(f"+{column}" for column in self._added(spec)))

    def _added(self, spec: DatasetSpec) -> Iterator[str]:
        """Columns that become inputs although the dataset itself leaves them out."""
        name = spec.name.rpartition(":")[2]
        default = {"parkinson": "sex", "boston": "B"}.get(name)
        protected = spec.protected or ((default,) if default else ())
        if self.z_input and not protected:
            raise StudyError(
                "z_input cannot tell which column the protected attribute is",
                where=f"dataset {spec.name!r}",
                hint="name it with --protected, or add it with --features",
            )
        if self.z_input:
            yield protected[0]
        if name != "parkinson":
            return
        asked = {"subject#": self.subject, "age": self.age, "total_UPDRS": self.total_updrs}
        taken = {*protected, *spec.targets}
        yield from (column for column, wanted in asked.items() if wanted and column not in taken)

    def training(self, dataset: str, /) -> Training:
        if dataset != "boston":
            return Training(epochs=50, batch_size=32, lr=0.01, scale_targets=self.y_scaled)
        return Training(
            epochs=self.epochs,
            batch_size=32,
            lr=0.001,
            chain=self.chain,
            patience=None if self.early_stopping == "off" else 10,
            min_delta=1e-4,
            scale_targets=self.y_scaled,
        )

    def split(self, dataset: Dataset, seed: int, /) -> Split:
        order = np.random.Generator(np.random.PCG64(seed)).permutation(dataset.rows)
        test = round(self.test_share * dataset.rows)
        watched = 0
        stops = self.training(dataset.name).patience is not None
        if stops and self.early_stopping == "validation":
            watched = round(HELD_OUT * (dataset.rows - test))
        parts = np.split(order, (test, test + watched))
        held_out, validation, train = (np.sort(part) for part in parts)
        if stops and self.early_stopping == "test":
            validation = held_out
        return Split(train, validation, held_out)
