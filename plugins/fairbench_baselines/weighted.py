"""weighted: a network of target and protected attribute, whose losses any weighting combines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import torch
from torch import Tensor

from fairbench.dataset import Dataset
from fairbench.facts import Facts
from fairbench.fold import Fold
from fairbench.method import Method, Tradeoff, Trained, Use, Work
from fairbench.model import Task
from fairbench.plugins import load
from fairbench.train import NetworkMethod, protected_task, target_tasks
from fairbench.training import Training
from fairbench.weighting import Weighting

__all__ = ["Joint", "Weighted"]

GRID = (0.03, 0.1, 0.3, 1.0, 3.0, 10.0)
TRADEOFF = Tradeoff("z-weight", GRID, low=0.0, fair_end="high")
FACTS = Facts("no", "labels")


@dataclass(frozen=True)
class Joint(NetworkMethod):
    """The target and the protected attribute z, learned together under a given `rule`.

    The trade-off multiplies z's loss before the rule sees it.
    """

    tradeoff: ClassVar[Tradeoff] = TRADEOFF
    facts: ClassVar[Facts] = FACTS

    rule: Weighting = field(default_factory=Weighting)

    def tasks(self, dataset: Dataset, /) -> tuple[Task, ...]:
        return (*target_tasks(dataset), protected_task(dataset))

    def weighting(self, dataset: Dataset, /) -> Weighting:
        return self.rule

    def loss_scales(self, tasks: Sequence[Task], tradeoff: Tensor, /) -> Tensor:
        ones = super().loss_scales(tasks, tradeoff)
        return torch.cat([ones[..., :-1], tradeoff.unsqueeze(-1)], dim=-1)


@dataclass(frozen=True)
class Weighted(Method):
    """The target and the protected attribute z, learned together under a weighting.

    The trade-off multiplies z's loss before the weighting sees it.

    Parameters
    ----------
    weighting
        Name of a weighting plugin; where a study names a method, that name alone is short for this.
    weighting_options
        Options of that weighting.
    model
        Name of a model plugin.
    architecture
        Options of that model.
    """

    tradeoff: ClassVar[Tradeoff] = TRADEOFF
    facts: ClassVar[Facts] = FACTS

    weighting: str
    weighting_options: dict[str, Any] = field(default_factory=dict)
    model: str = "mlp"
    architecture: dict[str, Any] = field(default_factory=dict)

    def uses(self) -> Sequence[Use]:
        return (Use("model", self.model, self.architecture), self._rule)

    @property
    def _rule(self) -> Use:
        return Use("weighting", self.weighting, self.weighting_options)

    def check(self, fold: Fold, training: Training, /) -> None:
        self._network().check(fold, training)

    def train(self, work: Work, /) -> Trained:
        return self._network().train(work)

    def _network(self) -> Joint:
        return Joint(self.model, self.architecture, load().build(self._rule))
