"""Components of the core itself, offered through the same entry-point group as a plugin's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fairbench.plugins.descriptions import ExecutorDescription, ProtocolDescription
from fairbench.plugins.hookspecs import hookimpl

if TYPE_CHECKING:
    from collections.abc import Iterator


@hookimpl
def fairbench_protocols() -> Iterator[ProtocolDescription]:
    """The default protocol."""
    yield ProtocolDescription(
        name="honest",
        summary="Repeated splits by cluster and group; selects on validation, reports on test",
        target="fairbench.study.honest:Honest",
    )


@hookimpl
def fairbench_executors() -> Iterator[ExecutorDescription]:
    """Offer the places where chunks run."""
    yield ExecutorDescription(
        name="serial",
        summary="One chunk after the other, in this process",
        target="fairbench.execute.serial:Serial",
    )
    yield ExecutorDescription(
        name="local",
        summary="Several chunks at once, in processes on this machine",
        target="fairbench.execute.local:Local",
    )
    yield ExecutorDescription(
        name="dask",
        summary="Workers of a Dask cluster: one of this machine, or any that has a scheduler",
        target="fairbench.execute.dask:Dask",
        citation="Rocklin (2015). Dask: parallel computation with blocked algorithms and task "
        "scheduling. Proceedings of the 14th Python in Science Conference.",
    )
