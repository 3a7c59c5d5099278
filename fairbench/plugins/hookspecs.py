"""The hooks a plugin can implement, and the markers to implement them with.

A plugin is a module (or object) named by an entry point of group ``fairbench``. It implements
any of these functions, each marked with `hookimpl`. The first nine offer components and are
called once per process, whenever something is listed or looked up: they must not import what
they describe. The last three observe a run.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

import pluggy

from fairbench.plugins.descriptions import (
    DatasetDescription,
    Description,
    ExecutorDescription,
    MethodDescription,
    MetricDescription,
    ModelDescription,
    ProtocolDescription,
    ReporterDescription,
    ReproductionDescription,
    WeightingDescription,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["OBSERVERS", "OFFERS", "PROJECT", "hookimpl", "hookspec"]

PROJECT = "fairbench"

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec
def fairbench_datasets() -> Iterable[DatasetDescription]:  # type: ignore[empty-body]
    """Datasets: each target is a `fairbench.dataset.DatasetSource` class."""


@hookspec
def fairbench_models() -> Iterable[ModelDescription]:  # type: ignore[empty-body]
    """Models: each target is a `fairbench.model.ModelFactory` class."""


@hookspec
def fairbench_weightings() -> Iterable[WeightingDescription]:  # type: ignore[empty-body]
    """Weightings: each target is a `fairbench.weighting.Weighting` class."""


@hookspec
def fairbench_methods() -> Iterable[MethodDescription]:  # type: ignore[empty-body]
    """Methods: each target is a `fairbench.method.Method` class."""


@hookspec
def fairbench_metrics() -> Iterable[MetricDescription]:  # type: ignore[empty-body]
    """Metrics: each target is a function like `fairbench.metric.Metric`."""


@hookspec
def fairbench_protocols() -> Iterable[ProtocolDescription]:  # type: ignore[empty-body]
    """Protocols: each target is a `fairbench.protocol.Protocol` class."""


@hookspec
def fairbench_executors() -> Iterable[ExecutorDescription]:  # type: ignore[empty-body]
    """Executors: each target says where chunks run."""


@hookspec
def fairbench_reporters() -> Iterable[ReporterDescription]:  # type: ignore[empty-body]
    """Reporters: each target renders analysed runs in one format."""


@hookspec
def fairbench_reproductions() -> Iterable[ReproductionDescription]:  # type: ignore[empty-body]
    """Reproductions: each target is a `fairbench.reproduction.Reproduction` class."""


@hookspec
def fairbench_run_started(run: str) -> None:
    """A run begins or resumes.

    Parameters
    ----------
    run
        Path of the run folder.
    """


@hookspec
def fairbench_chunk_finished(run: str, chunk: str) -> None:
    """A chunk is on disk, whether its trials succeeded or failed.

    Parameters
    ----------
    run
        Path of the run folder.
    chunk
        Key of the chunk.
    """


@hookspec
def fairbench_run_finished(run: str) -> None:
    """Every chunk of the run is on disk.

    Parameters
    ----------
    run
        Path of the run folder.
    """


OFFERS: Mapping[str, type[Description]] = MappingProxyType(
    {
        "fairbench_datasets": DatasetDescription,
        "fairbench_models": ModelDescription,
        "fairbench_weightings": WeightingDescription,
        "fairbench_methods": MethodDescription,
        "fairbench_metrics": MetricDescription,
        "fairbench_protocols": ProtocolDescription,
        "fairbench_executors": ExecutorDescription,
        "fairbench_reporters": ReporterDescription,
        "fairbench_reproductions": ReproductionDescription,
    }
)
"""Hooks that offer components, and the description that each yields."""

OBSERVERS = ("fairbench_run_started", "fairbench_chunk_finished", "fairbench_run_finished")
"""Hooks that observe a run."""
