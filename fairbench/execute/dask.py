"""Chunks as tasks of a Dask cluster. Needs the extra ``dask``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from types import ModuleType
from typing import Annotated, Any, ClassVar

from annotated_types import Gt

from fairbench.errors import StudyError
from fairbench.execute.executor import Executor, Limits
from fairbench.execute.job import Job, Outcome, Shared
from fairbench.execute.retry import try_twice

__all__ = ["Dask"]


@dataclass(frozen=True)
class Dask(Executor):
    """One task per chunk, as many in flight as the cluster has threads.

    Data travel to each worker once, predictions come home, and only this process writes. A
    chunk whose worker dies is given to another; if that dies too, it is tried once more, alone,
    after all others. Workers must have the versions of the packages that are installed here.

    Parameters
    ----------
    scheduler
        Address of a running scheduler, like tcp://host:8786; empty for a cluster of processes
        on this machine that ends with the run: encrypted, with a certificate of its own, and
        bound to the loopback interface.
    ca, cert, key
        PEM files for a scheduler with TLS (tls://host:8786): the authority that signed its
        certificate, and the certificate and key that this process shows. Left out, Dask's own
        settings (``distributed.comm.tls``) hold.
    start_seconds
        Longest time that a cluster of this machine may take to start, and a running one to get
        its first worker.
    """

    elsewhere: ClassVar[bool] = True

    scheduler: str = ""
    ca: str = ""
    cert: str = ""
    key: str = ""
    start_seconds: Annotated[float, Gt(0)] = 300.0

    def width(self, limits: Limits, chunks: int, /) -> int:
        cluster = _cluster()
        if not self.scheduler:
            return super().width(limits, chunks)
        with self._connected(cluster, 0) as client:
            return max(1, min(limits.jobs or cluster.threads(client), chunks))

    def run(self, shared: Shared, jobs: Sequence[Job], limits: Limits, /) -> Iterator[Outcome]:
        cluster = _cluster()
        compiled = any(job.training.kernel == "compiled" for job in jobs)
        own = 0 if self.scheduler else self.width(limits, len(jobs))
        with (
            self._connected(cluster, own) as client,
            cluster.equipped(client, shared, self.start_seconds, compiled=compiled) as name,
        ):
            yield from try_twice(partial(cluster.attempt, client, name, limits), jobs)

    def _connected(self, cluster: ModuleType, processes: int) -> AbstractContextManager[Any]:
        """A client of the cluster."""
        tls = {"ca": self.ca, "cert": self.cert, "key": self.key}
        made: AbstractContextManager[Any] = cluster.connected(
            self.scheduler, processes, tls, self.start_seconds
        )
        return made


def _cluster() -> ModuleType:
    """The part that needs the package `distributed`."""
    try:
        import distributed  # noqa: F401
    except ImportError as error:
        raise StudyError(
            f"the dask executor needs the package distributed: {error}",
            where="--executor dask",
            hint="pip install 'fairbench-mtl[dask]'",
        ) from error
    from fairbench.execute import cluster

    return cluster
