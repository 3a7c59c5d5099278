"""Multi-task networks of target and protected attribute under each weighting."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from fairbench.dataset import Dataset
from fairbench.errors import PluginError
from fairbench.method import Facts, Tradeoff, Use
from fairbench.model import Task
from fairbench.train import NetworkMethod, protected_task, target_tasks
from fairbench.weighting import Weighting

__all__ = ["Cagrad", "Dwa", "Equal", "Gradnorm", "Mgda", "Pcgrad", "Uncertainty"]

GRID = (0.03, 0.1, 0.3, 1.0, 3.0, 10.0)


@dataclass(frozen=True)
class _Weighted(NetworkMethod):
    """The paper's two heads; the trade-off multiplies z's loss before the weighting sees it.

    Parameters
    ----------
    rule
        Options of the weighting.
    weighting_name
        Name of a weighting plugin.
    """

    rule: dict[str, Any] = field(default_factory=dict)
    weighting_name: str = "equal"

    def uses(self) -> Sequence[Use]:
        return (*super().uses(), self._rule)

    @property
    def _rule(self) -> Use:
        return Use("weighting", self.weighting_name, self.rule)

    @property
    def facts(self) -> Facts:
        return Facts("no", "labels")

    @property
    def tradeoff(self) -> Tradeoff:
        return Tradeoff("z-weight", GRID, low=0.0, fair_end="high")

    def tasks(self, dataset: Dataset, /) -> tuple[Task, ...]:
        return (*target_tasks(dataset), protected_task(dataset))

    def weighting(self, dataset: Dataset, /) -> Weighting:
        from fairbench.plugins import load

        rule = load().build(self._rule)
        if not isinstance(rule, Weighting):
            raise PluginError(f"{self.weighting_name!r} is no Weighting")
        return rule

    def loss_scales(self, tasks: Sequence[Task], tradeoff: Tensor, /) -> Tensor:
        ones = super().loss_scales(tasks, tradeoff)
        return torch.cat([ones[..., :-1], tradeoff.unsqueeze(-1)], dim=-1)


@dataclass(frozen=True)
class Equal(_Weighted):
    """The plain sum of the losses."""


@dataclass(frozen=True)
class Uncertainty(_Weighted):
    """Losses weighted by learned variances."""

    weighting_name: str = "uncertainty"


@dataclass(frozen=True)
class Dwa(_Weighted):
    """Losses weighted by how slowly they fall."""

    weighting_name: str = "dwa"


@dataclass(frozen=True)
class Gradnorm(_Weighted):
    """Weights that level the tasks' gradient norms."""

    weighting_name: str = "gradnorm"


@dataclass(frozen=True)
class Pcgrad(_Weighted):
    """Conflicting gradients projected off one another."""

    weighting_name: str = "pcgrad"


@dataclass(frozen=True)
class Mgda(_Weighted):
    """The shortest convex combination of gradients."""

    weighting_name: str = "mgda"


@dataclass(frozen=True)
class Cagrad(_Weighted):
    """The best worst-case task near the mean gradient."""

    weighting_name: str = "cagrad"
