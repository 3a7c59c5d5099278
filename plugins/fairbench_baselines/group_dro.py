"""group-dro: distributionally robust training over the groups."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np
import torch
from annotated_types import Ge, Gt
from torch import Tensor

from fairbench.dataset import Dataset
from fairbench.facts import Facts
from fairbench.method import Tradeoff
from fairbench.model import Task
from fairbench.train import Batch, NetworkMethod, target_tasks
from fairbench.weighting import Step, Weighting
from fairbench_baselines.groups import group_means, target_losses

__all__ = ["GroupDRO"]

GRID = tuple(round(0.1 * step, 1) for step in range(11))


@dataclass(frozen=True)
class WorstGroup(Weighting):
    """(1 − τ) · share of g in the batch + τ · q_g, with q_g ← q_g · exp(rate · L_g), of sum 1.

    `adjustment` (G,) is added to each group's loss where q is updated: C/√n_g, with n_g the
    group's training rows (Sagawa et al. 2020, Section 3.3 and Algorithm 1).
    """

    rate: float
    adjustment: tuple[float, ...]

    def initial_state(self, tasks: int, /) -> dict[str, Tensor]:
        """``log_q`` (G,), uniform."""
        return {"log_q": torch.full((tasks,), -float(np.log(tasks)))}

    def weights(self, step: Step, /) -> tuple[Tensor, Mapping[str, Tensor]]:
        shares = step.signals["shares"]
        adjusted = step.losses + step.losses.new_tensor(self.adjustment)
        risen = step.state["log_q"] + torch.where(shares > 0, self.rate * adjusted, 0.0)
        log_q = risen.log_softmax(-1)
        tau = step.tradeoff.unsqueeze(-1)
        return (1 - tau) * shares + tau * log_q.exp(), {"log_q": log_q}


@dataclass(frozen=True)
class GroupDRO(NetworkMethod):
    """The target's network trained for its worst group, mixed with ordinary training by τ.

    Parameters
    ----------
    rate
        Step size of the group weights q.
    adjustment
        C: how much more a small group's loss counts, as C/√n_g.
    """

    rate: Annotated[float, Gt(0)] = 0.01
    adjustment: Annotated[float, Ge(0)] = 0.0

    @property
    def facts(self) -> Facts:
        return Facts("no", "labels")

    @property
    def tradeoff(self) -> Tradeoff:
        return Tradeoff("tau", GRID, 0.0, 1.0, "high")

    def tasks(self, dataset: Dataset, /) -> tuple[Task, ...]:
        return target_tasks(dataset)

    def weighting(self, dataset: Dataset, /) -> Weighting:
        attribute = dataset.protected[0]
        rows = np.bincount(attribute.groups, minlength=len(attribute.labels))
        added = self.adjustment / np.sqrt(np.maximum(rows, 1))
        return WorstGroup(self.rate, tuple(map(float, added)))

    def losses(
        self,
        tasks: Sequence[Task],
        outputs: Mapping[str, Tensor],
        batch: Batch,
        tradeoff: Tensor,
        /,
    ) -> tuple[Tensor, Mapping[str, Tensor]]:
        shares = batch.groups.mean(-2)
        return group_means(target_losses(tasks, outputs, batch), batch), {"shares": shares}
