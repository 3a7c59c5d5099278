"""Several chunks at once, in processes on this machine."""

from __future__ import annotations

import pickle
import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import wait

from fairbench.errors import StudyError
from fairbench.execute.executor import Executor, Limits
from fairbench.execute.interrupt import PATIENCE, check_interrupt, held, starting
from fairbench.execute.job import Job, Outcome, Shared
from fairbench.execute.retry import Died, overdue, try_twice
from fairbench.execute.worker import Worker

__all__ = ["Local"]

MOST_STILLBORN = 3
"""Workers in a row that may end while they start before that counts as hopeless."""


@dataclass(frozen=True)
class Local(Executor):
    """Worker processes, each with one thread, started afresh (spawn).

    A worker has one chunk at a time. A chunk whose worker dies is tried once more, alone, after
    all others; then it counts as failed. A chunk that takes longer than the time limit fails,
    and its worker is replaced. Workers end with the driver, however that ends.
    """

    def run(self, shared: Shared, jobs: Sequence[Job], limits: Limits, /) -> Iterator[Outcome]:
        crew = _Crew(shared, self.width(limits, len(jobs)), limits.seconds)
        try:
            yield from try_twice(crew.attempt, jobs)
        finally:
            crew.dismiss()


class _Crew:
    """The workers of one run, at most `most` of them, replaced when they end."""

    def __init__(self, shared: Shared, most: int, seconds: float | None) -> None:
        self._shared = pickle.dumps(shared, pickle.HIGHEST_PROTOCOL)
        self._most, self._seconds = most, seconds
        self._workers: list[Worker] = []
        self._stillborn = 0

    def attempt(self, jobs: Sequence[Job], /) -> Iterator[Outcome | Died]:
        """What comes of each job, in the order in which they end."""
        waiting = deque(jobs)
        came: list[Outcome | Died] = []
        while True:
            self._hire(len(waiting))
            self._deal(waiting)
            # Only now, so that nobody is idle while the driver stores what came.
            yield from came
            if not waiting and not any(worker.job for worker in self._workers):
                return
            came = [*self._heard(), *self._overdue()]

    def dismiss(self) -> None:
        """End all workers at once."""
        with held():
            while self._workers:
                self._workers.pop().kill()

    def _hire(self, waiting: int) -> None:
        unoccupied = sum(worker.job is None for worker in self._workers)
        room = self._most - len(self._workers)
        for _ in range(min(room, waiting - unoccupied)):
            with starting():
                self._workers.append(Worker(self._shared))

    def _deal(self, waiting: deque[Job]) -> None:
        for worker in [worker for worker in self._workers if worker.idle]:
            if not waiting:
                return
            if worker.give(waiting[0], self._seconds):
                waiting.popleft()

    def _heard(self) -> Iterator[Outcome | Died]:
        """Wait a while for the first word of any worker, or for the first deadline."""
        deadline = min(worker.deadline for worker in self._workers)
        patience = min(PATIENCE, max(0.0, deadline - time.monotonic()))
        check_interrupt()
        speaking = wait([worker.connection for worker in self._workers], patience)
        for worker in [w for w in self._workers if w.connection in speaking]:
            try:
                came = worker.hear()
            except EOFError:
                self._replace_idle(worker)
                continue
            if isinstance(came, Died):
                self._workers.remove(worker)
            if came is None:
                self._stillborn = 0
            else:
                yield came

    def _replace_idle(self, worker: Worker) -> None:
        """Take out a worker that ended with nothing to do, or while it started."""
        self._workers.remove(worker)
        how = worker.end()
        if worker.ready:
            return
        self._stillborn += 1
        if self._stillborn >= MOST_STILLBORN:
            raise StudyError(
                f"worker processes end while they start; {how}",
                where="--executor local",
                mend="what they wrote above says why; a script has to call fairbench.run below "
                '`if __name__ == "__main__":`; --executor serial does without workers',
            )

    def _overdue(self) -> Iterator[Outcome]:
        now = time.monotonic()
        for worker in [w for w in self._workers if w.job is not None and w.deadline <= now]:
            assert worker.job is not None
            assert self._seconds is not None
            worker.kill()
            self._workers.remove(worker)
            yield overdue(worker.job, self._seconds)
