"""Descriptions of components that import none of them: light, frozen, instant to list."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from fairbench.facts import Facts

API_VERSION = 1
_NOTHING = Facts()

Kind = Literal[
    "dataset",
    "model",
    "weighting",
    "method",
    "metric",
    "protocol",
    "executor",
    "reporter",
    "reproduction",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """One component of a plugin.

    Parameters
    ----------
    name
        What a user types: lower case, words joined by hyphens.
    summary
        One line, without a full stop.
    target
        ``package.module:Object``, imported on first use only.
    citation
        The paper it comes from, as one would cite it.
    warning
        What every listing and report must say of it.
    api
        Version of the plugin contract it was written for.
    """

    kind: ClassVar[Kind]

    name: str
    summary: str
    target: str
    citation: str = ""
    warning: str = ""
    api: int = API_VERSION


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetDescription(Description):
    """A `DatasetSource` class."""

    kind: ClassVar[Kind] = "dataset"


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelDescription(Description):
    """A frozen dataclass with options as fields and ``build(features, tasks) -> nn.Module``."""

    kind: ClassVar[Kind] = "model"


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightingDescription(Description):
    """A `Weighting` class."""

    kind: ClassVar[Kind] = "weighting"


@dataclass(frozen=True, slots=True, kw_only=True)
class MethodDescription(Description):
    """A `Method` class.

    Parameters
    ----------
    facts
        `Method.facts` with default options: what listings say, which import no method.
    """

    kind: ClassVar[Kind] = "method"

    facts: Facts = _NOTHING


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricDescription(Description):
    """A metric function, see `fairbench.metric.Metric`.

    Parameters
    ----------
    role
        ``error`` measures predictions against targets, ``disparity`` compares groups.
    best
        ``low``, ``high``, or ``one`` for ratios whose ideal is 1.
    unit
        ``target``, ``target²`` or ``none``.
    takes
        Kinds of protected attribute it accepts through their groups; a continuous attribute
        comes binned, so that all three is the usual answer. ``("individual",)`` instead asks
        for each row's nearest neighbours, see `fairbench.metric.Neighbours`.
    smallest_group
        Rows that every group must have; below that the value is NaN, with the reason.
    """

    kind: ClassVar[Kind] = "metric"

    role: Literal["error", "disparity"]
    best: Literal["low", "high", "one"] = "low"
    unit: Literal["target", "target²", "none"] = "none"
    takes: tuple[str, ...] = ("binary", "categorical", "continuous")
    smallest_group: int = 1


def is_individual(description: Description, /) -> bool:
    """Say whether this describes a metric that asks for each row's nearest neighbours."""
    return isinstance(description, MetricDescription) and description.takes == ("individual",)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProtocolDescription(Description):
    """A `Protocol` class."""

    kind: ClassVar[Kind] = "protocol"


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutorDescription(Description):
    """An `Executor` class."""

    kind: ClassVar[Kind] = "executor"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReporterDescription(Description):
    """A `Reporter` class: renders analysed runs in one format."""

    kind: ClassVar[Kind] = "reporter"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReproductionDescription(Description):
    """A `Reproduction` class: reruns what a publication reports."""

    kind: ClassVar[Kind] = "reproduction"
