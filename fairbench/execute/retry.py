"""The rule for a chunk whose worker dies, the same wherever workers are."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from fairbench.execute.job import Job, Outcome

__all__ = ["Died", "overdue", "try_twice"]


@dataclass(frozen=True, slots=True)
class Died:
    """A job whose worker ended without an outcome, and how it ended."""

    job: Job
    how: str


def try_twice(
    attempt: Callable[[Sequence[Job]], Iterator[Outcome | Died]], jobs: Sequence[Job], /
) -> Iterator[Outcome]:
    """Outcomes of `jobs`; those whose worker died are tried once more at the end, each alone.

    Alone, because the worker may have died of what ran beside it: of its neighbours' memory.
    """
    again: list[Job] = []
    for came in attempt(jobs):
        if isinstance(came, Died):
            again.append(came.job)
        else:
            yield came
    for job in again:
        for came in attempt([job]):
            if isinstance(came, Died):
                yield Outcome(job, None, 0.0, f"its worker died twice: {came.how}")
            else:
                yield came


def overdue(job: Job, seconds: float, /) -> Outcome:
    """The outcome of a job that was stopped at its time limit."""
    return Outcome(job, None, seconds, f"it took longer than {seconds:g} seconds")
