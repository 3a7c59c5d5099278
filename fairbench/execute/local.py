"""Several chunks at once, in processes on this machine."""

from __future__ import annotations

import multiprocessing
import signal
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, wait
from dataclasses import dataclass

from pebble import ProcessExpired, ProcessFuture, ProcessPool

from fairbench.execute.executor import Executor, Limits
from fairbench.execute.job import Job, Outcome, Shared, carry_out

__all__ = ["Local"]

_shared: Shared | None = None
"""In a worker: what all its jobs need, set once when the worker starts."""


def _begin(shared: Shared) -> None:
    """Prepare a worker: one thread, and Ctrl-C left to the driver."""
    import torch

    global _shared
    _shared = shared
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    torch.set_num_threads(1)


def _carry_out(job: Job) -> Outcome:
    assert _shared is not None
    return carry_out(_shared, job)


@dataclass(frozen=True)
class Local(Executor):
    """Worker processes, each with one torch thread, started afresh (spawn).

    At most two chunks per worker are in flight. A chunk whose worker dies is tried once more,
    alone, after all others; then it counts as failed. A chunk that takes longer than the time
    limit fails, and its worker is replaced.
    """

    def run(self, shared: Shared, jobs: Sequence[Job], limits: Limits, /) -> Iterator[Outcome]:
        workers = max(1, min(limits.jobs, len(jobs)))
        pool = ProcessPool(
            max_workers=workers,
            initializer=_begin,
            initargs=(shared,),
            context=multiprocessing.get_context("spawn"),
        )
        try:
            again: list[Job] = []
            yield from _drain(pool, jobs, 2 * workers, limits, again)
            yield from _drain(pool, again, 1, limits, None)
            pool.close()
        finally:
            pool.stop()
            pool.join()


def _drain(
    pool: ProcessPool, jobs: Sequence[Job], window: int, limits: Limits, again: list[Job] | None
) -> Iterator[Outcome]:
    """Outcomes of `jobs`, at most `window` in flight; those whose worker died go to `again`."""
    waiting = deque(jobs)
    flying: dict[ProcessFuture, Job] = {}
    while waiting or flying:
        while waiting and len(flying) < window:
            job = waiting.popleft()
            flying[pool.schedule(_carry_out, args=[job], timeout=limits.seconds)] = job
        landed, _ = wait(flying, return_when=FIRST_COMPLETED)
        for future in landed:
            job = flying.pop(future)
            outcome = _outcome(future, job, limits)
            if outcome is None and again is not None:
                again.append(job)
            else:
                yield outcome or Outcome(job, None, 0.0, "the worker died twice on this chunk")


def _outcome(future: ProcessFuture, job: Job, limits: Limits) -> Outcome | None:
    """What came of a job; None where its worker died."""
    try:
        result: Outcome = future.result()
    except ProcessExpired:
        return None
    except TimeoutError:
        reason = f"it took longer than {limits.seconds:g} seconds"
        return Outcome(job, None, limits.seconds or 0.0, reason)
    except Exception as error:  # a result that cannot travel back
        return Outcome(job, None, 0.0, f"{type(error).__name__}: {error}")
    return result
