"""The metrics that ship with fairbench; docs/metrics.md defines each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fairbench.plugins import hookimpl

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fairbench.plugins.descriptions import MetricDescription


@hookimpl
def fairbench_metrics() -> Iterator[MetricDescription]:
    """Every metric, errors first."""
    from fairbench_metrics.descriptions import DESCRIPTIONS

    yield from DESCRIPTIONS
