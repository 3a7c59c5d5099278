"""A Dask cluster of processes on this machine, out of reach of everybody else."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from multiprocessing import current_process, resource_tracker
from typing import Any

from distributed import Nanny, Scheduler, Security, SpecCluster, Status, Worker

from fairbench.errors import StudyError
from fairbench.execute.interrupt import check_interrupt, starting

__all__ = ["quiet", "started"]

LOOPBACK = "127.0.0.1"

SAFE_PATH = "PYTHONSAFEPATH"
"""Keeps interpreters that start from taking modules of the working directory for the library's."""

LOOK_EVERY = 0.02
"""Seconds between two looks whether all workers are there."""

_QUIET = (
    "distributed",
    "distributed.nanny",
    "distributed.worker",
    "distributed.scheduler",
    "asyncio",
    "tornado.application",
)


class _NoPages:
    """A server without web pages: they would listen, and ask nobody who they are."""

    def start_http_server(self, *_: Any, **__: Any) -> None:
        """Start none."""


class OwnScheduler(_NoPages, Scheduler):
    """A scheduler that listens for its own cluster alone."""


class OwnWorker(_NoPages, Worker):
    """A worker that listens for its own cluster alone."""


@contextmanager
def started(processes: int, security: Security, patience: float) -> Iterator[SpecCluster]:
    """A cluster of so many processes, which may take `patience` seconds to start.

    Raises
    ------
    StudyError
        Where it does not start, or may not.
    """
    if current_process().daemon:
        raise StudyError(
            "a process of a multiprocessing pool cannot start a Dask cluster",
            where="--executor dask",
            hint="use --executor local there, or give --scheduler an address",
        )
    common: dict[str, Any] = {"host": LOOPBACK, "protocol": "tls://", "security": security}
    worker = {
        "cls": Nanny,
        "options": {
            **common,
            "nthreads": 1,
            "memory_limit": 0,
            "silence_logs": logging.CRITICAL,
            "worker_class": OwnWorker,
            "dashboard": False,
        },
    }
    scheduler = {"cls": OwnScheduler, "options": {**common, "port": 0, "dashboard": False}}
    with _safe_path(), quiet():
        # Its first start, which comes with the first worker's, would unblock the signal again.
        resource_tracker.ensure_running()
        with starting():  # threads inherit the mask, and the processes that they start
            cluster = SpecCluster(
                scheduler=scheduler,
                worker=worker,
                security=security,
                silence_logs=logging.CRITICAL,
            )
        with cluster:
            cluster.scale(processes)
            _wait(cluster, processes, patience)
            yield cluster


def _wait(cluster: SpecCluster, processes: int, patience: float) -> None:
    """Wait until its workers are there; Ctrl-C comes through meanwhile."""
    scheduler: Any = cluster.scheduler
    end = time.monotonic() + patience
    while len(scheduler.workers) < processes:
        check_interrupt()
        if any(nanny.status == Status.failed for nanny in list(cluster.workers.values())):
            raise _not_started("they end at once")
        if time.monotonic() > end:
            raise _not_started(f"not ready within {patience:g} seconds")
        time.sleep(LOOK_EVERY)


def _not_started(how: str) -> StudyError:
    return StudyError(
        f"the workers of a Dask cluster do not start: {how}",
        where="--executor dask",
        hint="what they wrote above may say why; --set executor.start_seconds=1000 waits longer; "
        "--executor local or serial does without Dask",
    )


@contextmanager
def _safe_path() -> Iterator[None]:
    """Start interpreters meanwhile that do not look for modules in the working directory."""
    before = os.environ.get(SAFE_PATH)
    os.environ[SAFE_PATH] = "1"
    try:
        yield
    finally:
        with suppress(KeyError):
            del os.environ[SAFE_PATH]
        if before is not None:
            os.environ[SAFE_PATH] = before


@contextmanager
def quiet() -> Iterator[None]:
    """Keep Dask's loggers still."""
    loggers = [logging.getLogger(name) for name in _QUIET]
    before = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        for logger, level in zip(loggers, before, strict=True):
            logger.setLevel(level)
