"""A finished chunk on disk."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fairbench.errors import RunFolderError
from fairbench.method import Trial
from fairbench.store.arrays import unpacked
from fairbench.store.pairs import check_arrays, read_arrays
from fairbench.store.sealed import DamageError

if TYPE_CHECKING:
    import numpy as np

    from fairbench.dataset import FloatArray
    from fairbench.fold import Part
    from fairbench.method import Trained

__all__ = ["Cost", "StoredChunk", "damaged"]


@dataclass(frozen=True, slots=True)
class Cost:
    """The cost of a chunk, and what has to be known of it without reading its predictions.

    Attributes
    ----------
    model_steps, seconds
        Optimiser steps summed over its trials, and seconds of training.
    failed, transient
        How many of its trials failed, and how many of these another run should try again.
    notes
        What its training had to remark.
    """

    model_steps: int
    seconds: float
    failed: int = 0
    transient: int = 0
    notes: tuple[str, ...] = field(default=(), compare=False)

    @classmethod
    def of(cls, trained: Trained, seconds: float, /) -> Cost:
        """Return the cost of a chunk that has just been trained."""
        failed = [p for p in trained.predictions if p.status == "failed"]
        transient = sum(p.transient for p in failed)
        notes = tuple(trained.notes)
        return cls(trained.model_steps, round(seconds, 3), len(failed), transient, notes)


@dataclass(frozen=True)
class StoredChunk:
    """A finished chunk on disk, whose description was found to be what was written.

    Its arrays are read when they are asked for, and held against their hash then.

    Attributes
    ----------
    path
        Of its arrays; ``.json`` beside it describes them.
    meta
        The content of its JSON file: status and note per trial, notes, model_steps, seconds.
    """

    path: Path
    meta: Mapping[str, Any]

    @property
    def key(self) -> str:
        """Its name within the run."""
        return str(self.meta["key"])

    @property
    def cost(self) -> Cost:
        """The cost of training it."""
        return Cost(
            int(self.meta["model_steps"]),
            float(self.meta["seconds"]),
            [*self.meta["status"]].count("failed"),
            sum(map(bool, self.meta["transient"])),
            tuple(map(str, self.meta["notes"])),
        )

    @cached_property
    def trials(self) -> tuple[Trial, ...]:
        """Its trials, in the order of its predictions."""
        return tuple(Trial(**trial) for trial in self.meta["trials"])

    def check(self) -> None:
        """Hold its arrays against their hash; raises `DamageError` where they are others."""
        check_arrays(self.path, self.meta["arrays"])

    @cached_property
    def _arrays(self) -> Mapping[str, np.ndarray]:
        try:
            return read_arrays(self.path, self.meta["arrays"])
        except DamageError as error:
            raise damaged(self.path, error) from error

    def prediction(self, part: Part, /) -> FloatArray:
        """Predictions (trials, rows, targets) on the validation or test rows, to the last bit.

        Raises
        ------
        RunFolderError
            Where what is on disk is not what was written, or cannot be read.
        """
        return unpacked(self._arrays, part)

    def record(self, name: str, /) -> np.ndarray | None:
        """Return what training recorded under `name` (trials, ...), or None."""
        return self._arrays.get(f"record.{name}")


def damaged(file: Path, error: DamageError, /) -> RunFolderError:
    """The error of a reader that met damage, and will not believe what it reads."""
    return RunFolderError(
        f"a file of the run is not what was written: {error}",
        where=str(file),
        hint="`fairbench verify RUN` lists all damage, and with --repair moves it aside; then "
        "run the study's command again, which trains what is missing",
    )
