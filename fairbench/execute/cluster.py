"""What the dask executor does with the package `distributed`, which is imported here."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import CancelledError
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Any
from uuid import uuid4

import dask
from distributed import (
    Client,
    Future,
    KilledWorker,
    LocalCluster,
    Worker,
    WorkerPlugin,
    get_worker,
)
from distributed.versions import get_versions

from fairbench.errors import StudyError
from fairbench.execute.executor import Limits
from fairbench.execute.interrupt import PATIENCE, check_interrupt, held, starting
from fairbench.execute.job import Job, Outcome, Shared, carry_out, packed, unpacked
from fairbench.execute.retry import Died, overdue
from fairbench.execute.threads import limit_threads

__all__ = ["attempt", "connected", "equipped", "threads"]

SETTINGS = {
    "distributed.scheduler.worker-saturation": 1.0,  # a worker holds no chunk that it cannot start
    "distributed.scheduler.allowed-failures": 1,  # a chunk may lose one worker to bad luck
    "distributed.comm.timeouts.connect": "10s",
}
"""Those of a cluster of our own; a scheduler that runs already has its own."""

PACKAGES = ("fairbench-mtl", "torch", "numpy", "scipy", "scikit-learn", "pandas")
"""Distributions that decide a chunk's numbers, beside Python."""

_QUIET = ("distributed", "distributed.nanny", "distributed.worker", "distributed.scheduler")


class Kit(WorkerPlugin):
    """What every worker of the cluster gets, also one that comes late: the data of the run."""

    def __init__(self, shared: Shared, versions: Mapping[str, str]) -> None:
        self.shared = shared
        self.versions = versions

    async def setup(self, worker: Worker) -> None:
        """Import what takes seconds, and find what of the driver's versions differs here."""
        await asyncio.to_thread(limit_threads)
        self.differences = _differences(self.versions, _versions(get_versions(PACKAGES)))


def _carry_out(name: str, job: Job) -> bytes:
    """Train a chunk. Runs on a worker."""
    worker = get_worker()
    worker.log_event(name, {"chunk": job.chunk.key, "worker": worker.address})
    kit = worker.plugins[name]
    assert isinstance(kit, Kit)
    if kit.differences:
        error = StudyError(f"this worker has other versions than the driver: {kit.differences}")
        return packed(Outcome.failed(job, error, 0.0))
    return packed(carry_out(kit.shared, job))


@contextmanager
def connected(scheduler: str, processes: int) -> Iterator[Client]:
    """A client of the scheduler at that address, or of a cluster of so many processes here."""
    with ExitStack() as stack:
        stack.enter_context(dask.config.set(SETTINGS))
        with starting(), _quiet():  # threads and processes inherit both
            address: str | LocalCluster = scheduler or stack.enter_context(_local(processes))
            client = stack.enter_context(_client(address))
        try:
            yield client
        finally:
            with _quiet(), held():
                stack.close()


def _local(processes: int) -> LocalCluster:
    return LocalCluster(
        n_workers=processes,
        threads_per_worker=1,
        processes=True,
        dashboard_address=None,
        memory_limit=0,
        silence_logs=logging.CRITICAL,
    )


def _client(address: str | LocalCluster) -> Client:
    try:
        return Client(address, set_as_default=False)
    except (OSError, TimeoutError, ValueError) as error:
        raise StudyError(
            f"no Dask scheduler answers: {error}",
            where=f"--scheduler {address}",
            mend="start one with `dask scheduler`, and give the address it prints",
        ) from error


@contextmanager
def _quiet() -> Iterator[None]:
    loggers = [logging.getLogger(name) for name in _QUIET]
    before = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        for logger, level in zip(loggers, before, strict=True):
            logger.setLevel(level)


def threads(client: Client) -> int:
    """Number of chunks that the cluster can train at once, now."""
    return sum(client.nthreads().values())


@contextmanager
def equipped(client: Client, shared: Shared) -> Iterator[str]:
    """Check the workers' versions and give them `shared`, under the name that is yielded."""
    client.wait_for_workers(1)
    name = f"fairbench-{uuid4().hex}"
    with held():  # a scheduler in this process complains about messages that are cut off
        _check(client)
        client.register_plugin(Kit(shared, _versions(get_versions(PACKAGES))), name=name)
    try:
        yield name
    finally:
        with suppress(Exception):  # the cluster may be gone
            client.unregister_worker_plugin(name)


def _check(client: Any) -> None:
    found = client.get_versions(packages=PACKAGES)
    here = _versions(found["client"])
    for address, there in found["workers"].items():
        if differences := _differences(here, _versions(there)):
            raise StudyError(
                f"a worker has other versions than this process: {differences}",
                where=f"Dask worker {address}",
                mend="install the same versions there: equal studies must give equal numbers",
            )


def _versions(found: Mapping[str, Any]) -> dict[str, str]:
    packages = found["packages"]
    return {name: str(packages.get(name)) for name in ("python", *PACKAGES)}


def _differences(here: Mapping[str, str], there: Mapping[str, str]) -> str:
    """``torch 2.13 here, 2.12 there`` for each package; empty where all are equal."""
    parts = [f"{n} {here[n]} here, {there[n]} there" for n in here if here[n] != there[n]]
    return "; ".join(parts)


def attempt(
    client: Client, name: str, limits: Limits, jobs: Sequence[Job]
) -> Iterator[Outcome | Died]:
    """What comes of each job, in the order in which they end."""
    waiting = deque(jobs)
    flights = _Flights(client, name, limits.seconds)
    came: list[Outcome | Died] = []
    try:
        while True:
            room = min(limits.jobs or len(jobs), max(1, threads(client))) if waiting else 0
            while waiting and len(flights) < room:
                flights.launch(waiting.popleft())
            yield from came  # only now, so that nobody is idle while the driver stores
            if not flights:
                return
            came = [*flights.landed(), *flights.overdue()]
    finally:
        flights.cancel()


@dataclass
class _Flight:
    """A chunk in flight; `worker` and `deadline` (monotonic, seconds) from when it is begun."""

    job: Job
    future: Future
    worker: str = ""
    deadline: float = float("inf")


class _Flights:
    """The chunks in flight, by their key, and one queue of what is heard of them."""

    def __init__(self, client: Client, name: str, seconds: float | None) -> None:
        self._client, self._name, self._seconds = client, name, seconds
        self._flights: dict[str, _Flight] = {}
        self._news: SimpleQueue[Future | Mapping[str, str]] = SimpleQueue()
        # Tasks say when they begin: before that they may wait for a worker to start.
        client.subscribe_topic(name, lambda event: self._news.put(event[1]))

    def __len__(self) -> int:
        return len(self._flights)

    def launch(self, job: Job) -> None:
        """Submit a job."""
        future = self._client.submit(_carry_out, self._name, job, pure=False, retries=0)
        self._flights[job.chunk.key] = _Flight(job, future)
        future.add_done_callback(self._news.put)

    def landed(self) -> Iterator[Outcome | Died]:
        """Wait a while for the first news, or for the first deadline; then what has ended."""
        deadline = min(flight.deadline for flight in self._flights.values())
        patience = min(PATIENCE, max(0.0, deadline - time.monotonic()))
        check_interrupt()
        with suppress(Empty):
            news = self._news.get(timeout=patience)
            while True:
                if isinstance(news, Future):
                    yield from self._ended(news)
                else:
                    self._begun(news["chunk"], news["worker"])
                news = self._news.get_nowait()

    def _begun(self, chunk: str, worker: str) -> None:
        flight = self._flights.get(chunk)
        if flight is not None and self._seconds is not None:
            flight.worker, flight.deadline = worker, time.monotonic() + self._seconds

    def _ended(self, future: Future) -> Iterator[Outcome | Died]:
        for key, flight in list(self._flights.items()):
            if flight.future is future:  # if not, it was given up on
                del self._flights[key]
                yield _came(future, flight.job)

    def overdue(self) -> Iterator[Outcome]:
        """Give up on tasks that have been running too long, and restart their workers."""
        now = time.monotonic()
        for key, flight in list(self._flights.items()):
            if flight.deadline > now or flight.future.done():
                continue
            del self._flights[key]
            self._client.cancel([flight.future])
            with suppress(Exception):  # it may be gone by now, or have no nanny to restart it
                self._client.restart_workers([flight.worker], raise_for_error=False)
            assert self._seconds is not None
            yield overdue(flight.job, self._seconds)

    def cancel(self) -> None:
        """Give up on all."""
        with suppress(Exception):  # the cluster may be gone
            self._client.cancel([flight.future for flight in self._flights.values()])


def _came(future: Future, job: Job) -> Outcome | Died:
    try:
        return unpacked(future.result(), job)
    except KilledWorker as error:
        return Died(job, f"worker {error.last_worker.address} was the last to die of it")
    except CancelledError as error:
        raise StudyError(
            "the connection to the Dask scheduler is lost",
            where="--executor dask",
            mend="start the cluster again and run the same command: what was finished is kept",
        ) from error
    except Exception as error:
        return Outcome.failed(job, error, 0.0)
