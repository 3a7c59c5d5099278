"""static-alpha: one network for the target and the protected attribute, weighted by a fixed α."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor

from fairbench.dataset import Dataset
from fairbench.facts import Facts
from fairbench.method import Tradeoff
from fairbench.model import Task
from fairbench.train import NetworkMethod, protected_task, target_tasks
from fairbench.weighting import Step, Weighting

__all__ = ["StaticAlpha"]

TOTAL = 5.0
"""The two weights' sum (Section 3.4 of the paper)."""

GRIDS = {
    "0.1-5.0": tuple(round(0.1 * step, 1) for step in range(1, 51)),
    "0.0-4.9": tuple(round(0.1 * step, 1) for step in range(50)),
}
"""The paper says 50 values in [0, 5]: either end may be missing."""


@dataclass(frozen=True)
class FixedSum(Weighting):
    """Weight `w` for each of the first T − 1 losses and 5 − `w` for the last, or reversed."""

    constant: ClassVar[bool] = True

    reverse: bool

    def weights(self, step: Step, /) -> tuple[Tensor, Mapping[str, Tensor]]:
        on_targets = TOTAL - step.tradeoff if self.reverse else step.tradeoff
        targets = step.losses.shape[-1] - 1
        pair = [on_targets] * targets + [TOTAL - on_targets]
        return torch.stack(pair, dim=-1), step.state


@dataclass(frozen=True)
class StaticAlpha(NetworkMethod):
    """Multi-task learning with static weights, the paper's method (Section 3).

    The network predicts the target y and the protected attribute z. There is no fairness term:
    lowering L_z makes the trunk carry more of z, not less.

    Parameters
    ----------
    reading
        ``equation`` minimises α·L_y + (5 − α)·L_z as Section 3.4 prints it, so that α = 5 is
        the accuracy end; ``table`` swaps the two weights, as the order of Table 2 suggests.
    z_loss
        ``auto`` is cross-entropy for a binary or categorical z and squared error for a
        continuous one; ``mse`` takes squared error on 0/1 values as well, ``bce`` is
        cross-entropy of a binary z. A loss that does not fit z is refused.
    z_scaled
        Whether a continuous z is standardised on training rows; if not, its loss can be
        thousands of times that of y.
    grid
        Which 50 values of α a sweep takes unless it names its own.
    """

    reading: Literal["equation", "table"] = "equation"
    z_loss: Literal["auto", "bce", "mse"] = "auto"
    z_scaled: bool = True
    grid: Literal["0.1-5.0", "0.0-4.9"] = "0.1-5.0"

    @property
    def facts(self) -> Facts:
        return Facts("no", "labels")

    @property
    def tradeoff(self) -> Tradeoff:
        fair_end: Literal["low", "high"] = "low" if self.reading == "equation" else "high"
        return Tradeoff("alpha", GRIDS[self.grid], 0.0, TOTAL, fair_end)

    def tasks(self, dataset: Dataset, /) -> tuple[Task, ...]:
        return (
            *target_tasks(dataset),
            protected_task(dataset, self.z_loss, scaled=self.z_scaled),
        )

    def weighting(self, dataset: Dataset, /) -> Weighting:
        return FixedSum(reverse=self.reading == "table")
