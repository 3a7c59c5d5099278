"""One chunk after the other, in this process."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from fairbench.execute.executor import Executor, Limits
from fairbench.execute.job import Job, Outcome, Shared, carry_out

__all__ = ["Serial", "one_thread"]


@contextmanager
def one_thread() -> Iterator[None]:
    """Keep torch to one thread: chunks are what is parallel, and sums keep one order."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@dataclass(frozen=True)
class Serial(Executor):
    """Trains in this process; `Limits.jobs` and its time limit do not apply."""

    def run(self, shared: Shared, jobs: Sequence[Job], limits: Limits, /) -> Iterator[Outcome]:
        with one_thread():
            for job in jobs:
                yield carry_out(shared, job)
