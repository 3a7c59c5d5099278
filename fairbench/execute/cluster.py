"""The part of the dask executor that imports the package `distributed`."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import CancelledError
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any
from uuid import uuid4

import dask
from distributed import (
    Client,
    Future,
    KilledWorker,
    Security,
    SpecCluster,
    Worker,
    WorkerPlugin,
    get_worker,
)
from distributed.versions import get_versions

from fairbench import kernel
from fairbench.errors import StudyError, first_line
from fairbench.execute.executor import Limits
from fairbench.execute.interrupt import PATIENCE, check_interrupt, held, starting
from fairbench.execute.job import Job, Outcome, Shared, carry_out, packed, unpacked
from fairbench.execute.machine import quiet, started
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


class Kit(WorkerPlugin):
    """The data of the run, which every worker of the cluster gets, also one that comes late."""

    def __init__(self, shared: Shared, versions: Mapping[str, str]) -> None:
        self.shared = shared
        self.versions = versions

    async def setup(self, worker: Worker) -> None:
        """Import what takes seconds, and find what of the driver's versions differs here."""
        await asyncio.to_thread(limit_threads)
        there = _versions(get_versions(PACKAGES))
        if "kernel" in self.versions:
            there["kernel"] = await asyncio.to_thread(_kernel)
        self.differences = _differences(self.versions, there)


def _kernel() -> str:
    """The compiled kernel of this process, as the driver would describe its own."""
    try:
        return kernel.describe()
    except (kernel.KernelError, StudyError) as error:
        return f"none ({first_line(error)})"


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
def connected(
    scheduler: str, processes: int, tls: Mapping[str, str], patience: float
) -> Iterator[Client]:
    """A client of the scheduler at that address, or of a cluster of so many processes here.

    `tls` are the options ``ca``, ``cert`` and ``key``; a cluster of our own makes its own
    certificate, and may take `patience` seconds to start.
    """
    with ExitStack() as stack:
        stack.enter_context(dask.config.set(SETTINGS))
        if scheduler:
            address: str | SpecCluster = scheduler
            security = _security(scheduler, tls)
        else:
            security = _temporary()
            address = stack.enter_context(started(processes, security, patience))
        with starting(), quiet():  # threads inherit both
            client = stack.enter_context(_client(address, security))
        try:
            yield client
        finally:
            with quiet(), held():
                stack.close()


def _security(scheduler: str, tls: Mapping[str, str]) -> Security | None:
    """Return what a client shows to a running scheduler; None leaves it to Dask's settings."""
    if not any(tls.values()):
        return None
    names = {"ca": "tls_ca_file", "cert": "tls_client_cert", "key": "tls_client_key"}
    for option, file in tls.items():
        if not file or not Path(file).is_file():
            raise StudyError(
                f"{file!r} is no file" if file else "ca, cert and key are needed together",
                where=f"executor.{option}",
                hint="name a PEM file: --set executor.ca=ca.pem --set executor.cert=cert.pem "
                "--set executor.key=key.pem",
            )
    if not scheduler.startswith("tls://"):
        raise StudyError(
            "certificates are for a scheduler with TLS",
            where=f"--scheduler {scheduler}",
            hint="give its address as tls://HOST:PORT",
        )
    return Security(require_encryption=True, **{names[k]: file for k, file in tls.items()})


def _temporary() -> Security:
    try:
        made: Security = Security.temporary()
    except ImportError as error:
        raise StudyError(
            f"a cluster of this machine needs the package cryptography: {error}",
            where="--executor dask",
            hint="pip install 'fairbench-mtl[dask]'",
        ) from error
    return made


def _client(address: str | SpecCluster, security: Security | None) -> Client:
    try:
        return Client(address, set_as_default=False, security=security)
    except (OSError, TimeoutError, ValueError, TypeError) as error:
        raise StudyError(
            f"no Dask scheduler answers: {first_line(error)}",
            where=f"--scheduler {address}",
            hint="start one with `dask scheduler`, and give the address it prints; one with TLS "
            "also needs --set executor.ca, .cert and .key",
        ) from error


def threads(client: Client) -> int:
    """Number of chunks that the cluster can train at once, now."""
    return sum(client.nthreads().values())


@contextmanager
def equipped(client: Client, shared: Shared, patience: float, *, compiled: bool) -> Iterator[str]:
    """Check the workers' versions and give them `shared`, under the name that is yielded.

    The first worker has to be there within `patience` seconds. Where jobs train with the
    `compiled` kernel, a worker whose library has other bytes trains nothing.
    """
    try:
        client.wait_for_workers(1, timeout=patience)
    except TimeoutError as error:
        raise StudyError(
            f"no worker joined the Dask scheduler within {patience:g} seconds",
            where="--executor dask",
            hint="start workers with `dask worker ADDRESS`; --set executor.start_seconds=3600 "
            "waits longer, as for a batch system's queue",
        ) from error
    name = f"fairbench-{uuid4().hex}"
    with held():  # a scheduler in this process complains about messages that are cut off
        _check(client)
        versions = _versions(get_versions(PACKAGES))
        if compiled:
            versions["kernel"] = kernel.describe()
        client.register_plugin(Kit(shared, versions), name=name)
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
                hint="install the same versions there: equal studies must give equal numbers",
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
    """Yield the outcome of each job, in the order in which they end."""
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
            hint="start the cluster again and run the same command: what was finished is kept",
        ) from error
    except Exception as error:
        return Outcome.failed(job, error, 0.0)
