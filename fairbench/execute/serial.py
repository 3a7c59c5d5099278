"""One chunk after the other, in this process."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from fairbench.errors import StudyError
from fairbench.execute.executor import Executor, Limits
from fairbench.execute.job import Job, Outcome, Shared, carry_out
from fairbench.execute.threads import one_thread

__all__ = ["Serial"]


@dataclass(frozen=True)
class Serial(Executor):
    """Trains in this process: nothing to start, and a debugger or profiler sees everything.

    It cannot stop a chunk that takes too long, and does not survive one that crashes.
    """

    def width(self, limits: Limits, chunks: int, /) -> int:
        if limits.seconds is not None:
            raise StudyError(
                "the serial executor cannot stop a chunk that takes too long",
                where="--chunk-seconds",
                hint="use --executor local, or leave the time limit out",
            )
        return 1

    def run(self, shared: Shared, jobs: Sequence[Job], limits: Limits, /) -> Iterator[Outcome]:
        with one_thread():
            for job in jobs:
                yield carry_out(shared, job)
