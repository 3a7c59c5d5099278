"""Executors: where the chunks of a run are trained."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from fairbench.execute.job import Job, Outcome, Shared

__all__ = ["Executor", "Limits"]


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds on a run: chunks trained at once, and seconds one chunk may take (None: any)."""

    jobs: int = 1
    seconds: float | None = None


class Executor(ABC):
    """Carries jobs out, in any order, and never gives up on the others because of one."""

    @abstractmethod
    def run(self, shared: Shared, jobs: Sequence[Job], limits: Limits, /) -> Iterator[Outcome]:
        """One outcome per job, as they come.

        Closing the iterator stops all work that is under way.
        """
