"""Executors: where the chunks of a run are trained."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

from fairbench.execute.job import Job, Outcome, Shared

__all__ = ["Executor", "Limits", "cores"]


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits that the user sets: chunks trained at once, and seconds one chunk may take.

    None leaves either to the executor.
    """

    jobs: int | None = None
    seconds: float | None = None


class Executor(ABC):
    """Carries jobs out, in any order, and never gives up on the others because of one.

    Subclasses are frozen dataclasses whose fields are the executor's options.

    Attributes
    ----------
    elsewhere
        Whether other processes than this one train, so that this one can compute meanwhile.
    """

    elsewhere: ClassVar[bool] = False

    def width(self, limits: Limits, chunks: int, /) -> int:
        """Return how many of `chunks` chunks are trained at once under `limits`.

        Asked before anything is written, so that what cannot work is said at once.

        Raises
        ------
        StudyError
            Where this executor cannot keep to `limits`, or cannot run here at all.
        """
        return max(1, min(limits.jobs or cores(), chunks))

    @abstractmethod
    def run(self, shared: Shared, jobs: Sequence[Job], limits: Limits, /) -> Iterator[Outcome]:
        """One outcome per job, as they come.

        What has to be started may be started at once; no job is trained before the first outcome
        is asked for. Closing the iterator stops all work that is under way.
        """


def cores() -> int:
    """Number of cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
