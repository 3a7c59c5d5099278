"""Chunks as tasks of a Dask cluster. Needs the extra ``dask``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from types import ModuleType

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
        on this machine that ends with the run.
    """

    scheduler: str = ""

    def width(self, limits: Limits, chunks: int, /) -> int:
        cluster = _cluster()
        if not self.scheduler:
            return super().width(limits, chunks)
        with cluster.connected(self.scheduler, 0) as client:
            return max(1, min(limits.jobs or cluster.threads(client), chunks))

    def run(self, shared: Shared, jobs: Sequence[Job], limits: Limits, /) -> Iterator[Outcome]:
        cluster = _cluster()
        own = 0 if self.scheduler else self.width(limits, len(jobs))
        with (
            cluster.connected(self.scheduler, own) as client,
            cluster.equipped(client, shared) as name,
        ):
            yield from try_twice(partial(cluster.attempt, client, name, limits), jobs)


def _cluster() -> ModuleType:
    """The part that needs the package `distributed`."""
    try:
        import distributed  # noqa: F401
    except ImportError as error:
        raise StudyError(
            f"the dask executor needs the package distributed: {error}",
            where="--executor dask",
            mend="pip install 'fairbench-mtl[dask]'",
        ) from error
    from fairbench.execute import cluster

    return cluster
