"""Several chunks at once, in processes on this machine."""

from __future__ import annotations

import pickle
import time
from collections import deque
from collections.abc import Generator, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Annotated, Any, ClassVar, NoReturn

from annotated_types import Gt

from fairbench.errors import StudyError
from fairbench.execute.executor import Executor, Limits
from fairbench.execute.interrupt import PATIENCE, check_interrupt, held, starting
from fairbench.execute.job import Job, Outcome, Shared
from fairbench.execute.pulse import Waking
from fairbench.execute.retry import Died, overdue, try_twice
from fairbench.execute.worker import News, Worker

__all__ = ["Local"]

MOST_STILLBORN = 3
"""Workers in a row that may end while they start before that counts as hopeless."""


@dataclass(frozen=True)
class Local(Executor):
    """Worker processes, each with one thread, started afresh.

    A worker has one chunk at a time. A chunk whose worker dies is tried once more, alone, after
    all others; then it counts as failed. A chunk that takes longer than the time limit fails,
    and its worker is replaced. Workers end with the driver, however that ends.

    Parameters
    ----------
    start_seconds
        Longest time that a worker may take to start: imports from a slow disk take minutes.
    silence_seconds
        After so many seconds without a sign of life, which is due every 5, and without work
        (less than a hundredth of a core) a worker counts as dead: it is stopped, or waits for
        itself.
    """

    elsewhere: ClassVar[bool] = True

    start_seconds: Annotated[float, Gt(0)] = 300.0
    silence_seconds: Annotated[float, Gt(0)] = 120.0

    def run(self, shared: Shared, jobs: Sequence[Job], limits: Limits, /) -> Iterator[Outcome]:
        crew = _Crew(self, shared, self.width(limits, len(jobs)), limits.seconds)
        try:
            crew.hire(len(jobs))  # they import what takes seconds while the caller still prepares
        except BaseException:  # Ctrl-C, which nobody who could close the outcomes hears yet
            crew.dismiss()
            raise
        return _Outcomes(crew, jobs)


class _Outcomes(Generator[Outcome, None, None]):
    """What the crew sends; closing this ends the crew, also before anything was asked for."""

    def __init__(self, crew: _Crew, jobs: Sequence[Job]) -> None:
        self._crew, self._outcomes = crew, try_twice(crew.attempt, jobs)

    def send(self, value: None, /) -> Outcome:
        try:
            return next(self._outcomes)
        except BaseException:
            self._crew.dismiss()
            raise

    def throw(self, *error: Any) -> NoReturn:
        self._crew.dismiss()
        super().throw(*error)
        raise AssertionError("the line above raises")

    def close(self) -> None:
        self._crew.dismiss()


class _Crew:
    """The workers of one run, at most `most` of them, replaced when they end."""

    def __init__(self, of: Local, shared: Shared, most: int, seconds: float | None) -> None:
        self._of = of
        self._shared = pickle.dumps(shared, pickle.HIGHEST_PROTOCOL)
        self._most, self._seconds = most, seconds
        self._workers: list[Worker] = []
        self._news: News = SimpleQueue()
        self._waking = Waking()
        self._stillborn = 0

    def attempt(self, jobs: Sequence[Job], /) -> Iterator[Outcome | Died]:
        """Yield the outcome of each job, in the order in which they end."""
        waiting = deque(jobs)
        came: list[Outcome | Died] = []
        self._waking.skip()  # workers that were started early may have spoken long ago
        while True:
            self.hire(len(waiting))
            self._deal(waiting)
            # Only now, so that nobody is idle while the driver stores what came.
            yield from came
            if not waiting and not any(worker.job for worker in self._workers):
                return
            came = [*self._heard(), *self._overdue(), *self._stopped()]

    def dismiss(self) -> None:
        """End all workers at once."""
        with held():
            while self._workers:
                self._workers.pop().kill()

    def hire(self, waiting: int, /) -> None:
        """Start as many workers as `waiting` jobs can use."""
        unoccupied = sum(worker.job is None for worker in self._workers)
        room = self._most - len(self._workers)
        for _ in range(min(room, waiting - unoccupied)):
            with starting():
                self._workers.append(Worker(self._shared, self._news, self._waking.look()))

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
        try:
            news = self._news.get(timeout=patience)
        except Empty:
            for worker in self._workers:
                worker.check()
            return
        with suppress(Empty):
            while True:
                yield from self._told(*news)
                news = self._news.get_nowait()

    def _told(self, worker: Worker, kind: bytes, content: bytes) -> Iterator[Outcome | Died]:
        if worker not in self._workers:  # it was replaced meanwhile
            return
        try:
            came = worker.hear(kind, content)
        except EOFError:
            self._replace_idle(worker, worker.end())
            return
        if isinstance(came, Died):
            self._workers.remove(worker)
        if worker.ready:
            self._stillborn = 0
        if came is not None:
            yield came

    def _replace_idle(self, worker: Worker, how: str) -> None:
        """Take out a worker that ended with nothing to do, or while it started."""
        self._workers.remove(worker)
        if worker.ready:
            return
        self._stillborn += 1
        if self._stillborn >= MOST_STILLBORN:
            raise _hopeless(worker, how)

    def _overdue(self) -> Iterator[Outcome]:
        now = time.monotonic()
        for worker in [w for w in self._workers if w.job is not None and w.deadline <= now]:
            assert worker.job is not None
            assert self._seconds is not None
            worker.kill()
            self._workers.remove(worker)
            yield overdue(worker.job, self._seconds)

    def _stopped(self) -> Iterator[Died]:
        """Give up on workers that do not get ready, or neither speak nor work."""
        now, start, silence = self._waking.look(), self._of.start_seconds, self._of.silence_seconds
        for worker in list(self._workers):
            if not worker.ready:
                if now - worker.born >= start:
                    worker.kill()
                    self._replace_idle(worker, f"it was not ready within {start:g} seconds")
            elif worker.stopped(now, silence) and worker.job is not None:
                worker.kill()
                self._workers.remove(worker)
                yield Died(worker.job, f"it neither spoke nor worked for {silence:g} seconds")


def _hopeless(worker: Worker, how: str) -> StudyError:
    """The error of a run whose workers do not start; `how` the last of them ended."""
    told = worker.complaint
    if not told:
        return StudyError(
            f"worker processes end while they start; {how}",
            where="--executor local",
            hint="what they wrote above may say why; --set executor.start_seconds=1000 waits "
            "longer; --executor serial does without workers",
        )
    return StudyError(
        f"worker processes cannot start: {told['what']}",
        where=told["where"] or "--executor local",
        hint=told["hint"]
        or "workers import what this process has imported, its script too: a "
        "file that hides a module of the same name has to be renamed; --executor serial does "
        "without workers",
    )
