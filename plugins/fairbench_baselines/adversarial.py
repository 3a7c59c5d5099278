"""adversarial: gradient reversal between the trunk and the head of the protected attribute."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from fairbench.dataset import Dataset
from fairbench.facts import Facts
from fairbench.method import Tradeoff
from fairbench.model import Task
from fairbench.train import NetworkMethod, protected_task, target_tasks
from fairbench.weighting import Step, Weighting

__all__ = ["Adversarial"]

GRID = tuple(round(0.2 * step, 1) for step in range(-10, 11))


@dataclass(frozen=True)
class Reversal(Weighting):
    """Every head learns its own task; the last task enters the trunk times −λ."""

    ramp: bool

    def trunk_scale(self, step: Step, /) -> Tensor:
        strength = step.tradeoff
        if self.ramp:
            assert step.progress is not None
            strength = strength * (2 / (1 + torch.exp(-10 * step.progress)) - 1)
        ones = torch.ones_like(step.losses[..., :-1])
        return torch.cat([ones, -strength.unsqueeze(-1)], dim=-1)


@dataclass(frozen=True)
class Adversarial(NetworkMethod):
    """Trunk gradient ∇L_y − λ∇L_z through a gradient-reversal layer.

    λ > 0 removes the attribute from the trunk (Ganin et al. 2016), 0 is single-task, λ < 0
    reinforces it (Raumanns et al. 2024), as the paper's own model does.

    Parameters
    ----------
    ramp
        Whether λ grows from 0 as λ(2/(1 + e^(−10p)) − 1) over the share p of training done.
    """

    ramp: bool = False

    @property
    def facts(self) -> Facts:
        return Facts("no", "labels")

    @property
    def tradeoff(self) -> Tradeoff:
        return Tradeoff("lambda", GRID, fair_end="high")

    def tasks(self, dataset: Dataset, /) -> tuple[Task, ...]:
        return (*target_tasks(dataset), protected_task(dataset))

    def weighting(self, dataset: Dataset, /) -> Weighting:
        return Reversal(self.ramp)
