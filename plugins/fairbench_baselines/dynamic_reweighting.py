"""dynamic-reweighting: groups are the tasks, and a group's weight grows with its error."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated

import torch
from annotated_types import Ge, Lt
from torch import Tensor

from fairbench.dataset import Dataset
from fairbench.facts import Facts
from fairbench.method import Tradeoff
from fairbench.model import Task
from fairbench.train import Batch, NetworkMethod, target_tasks
from fairbench.weighting import Step, Weighting
from fairbench_baselines.groups import group_means, target_losses

__all__ = ["DynamicReweighting"]

GRID = (0.0, 1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1)


@dataclass(frozen=True)
class Multiplicative(Weighting):
    """ω_g ← ω_g · exp(η (M_g − M̄) / M̄), renormalised to mean 1.

    M_g is a moving average of group g's mean absolute error and M̄ their mean. η is the trial's
    trade-off value. Nothing moves before every group has been seen.
    """

    memory: float

    def initial_state(self, tasks: int, /) -> dict[str, Tensor]:
        """``weight`` (G,), moving average ``error`` (G,), and which groups were ``seen`` (G,)."""
        return {
            "weight": torch.ones(tasks),
            "error": torch.zeros(tasks),
            "seen": torch.zeros(tasks),
        }

    def weights(self, step: Step, /) -> tuple[Tensor, Mapping[str, Tensor]]:
        present, now = step.signals["present"], step.signals["error"]
        seen, before = step.state["seen"], step.state["error"]
        followed = torch.where(seen > 0, self.memory * before + (1 - self.memory) * now, now)
        error = torch.where(present > 0, followed, before)
        seen = torch.maximum(seen, present)
        mean = error.mean(-1, keepdim=True)
        gap = torch.where(mean > 0, (error - mean) / mean.clamp_min(1e-12), 0.0)
        ready = (seen > 0).all(-1, keepdim=True)
        grown = step.state["weight"] * torch.exp(step.tradeoff.unsqueeze(-1) * gap)
        grown = grown / grown.mean(-1, keepdim=True)
        weight = torch.where(ready, grown, step.state["weight"])
        groups = weight.shape[-1]
        return weight / groups, {"weight": weight, "error": error, "seen": seen}


@dataclass(frozen=True)
class DynamicReweighting(NetworkMethod):
    """Gradients of each group's loss, reweighted during training by the groups' errors.

    Our reading of the abstract of Li et al. (2023) for regression: the loss is the mean over
    groups of the group's mean squared error, weighted by ω. η = 0 is group-balanced training.

    Parameters
    ----------
    memory
        Share of the moving average that is kept at each step.
    """

    memory: Annotated[float, Ge(0), Lt(1)] = 0.9

    @property
    def facts(self) -> Facts:
        return Facts("no", "labels")

    @property
    def tradeoff(self) -> Tradeoff:
        return Tradeoff("eta", GRID, low=0.0, fair_end="high")

    def tasks(self, dataset: Dataset, /) -> tuple[Task, ...]:
        return target_tasks(dataset)

    def weighting(self, dataset: Dataset, /) -> Weighting:
        return Multiplicative(self.memory)

    def losses(
        self,
        tasks: Sequence[Task],
        outputs: Mapping[str, Tensor],
        batch: Batch,
        tradeoff: Tensor,
        /,
    ) -> tuple[Tensor, Mapping[str, Tensor]]:
        main = tasks[0].name
        error = (outputs[main] - batch.columns[main]).abs().mean(-1)
        signals = {
            "error": group_means(error, batch),
            "present": (batch.groups.sum(-2) > 0).to(error.dtype),
        }
        return group_means(target_losses(tasks, outputs, batch), batch), signals
