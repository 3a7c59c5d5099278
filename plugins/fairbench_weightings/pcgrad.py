"""PCGrad: each gradient loses its component against a conflicting one."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import permutations
from typing import TYPE_CHECKING, ClassVar

import torch

from fairbench.weighting import Needs, Weighting
from fairbench_weightings._gramian import tiny

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from fairbench.weighting import Step

__all__ = ["PCGrad", "conflict_share"]

_MOST_TASKS = 4  # 4·3! sequences of 3 projections; 5 tasks would take 480 projections a step


def conflict_share(gramian: Tensor, /) -> Tensor:
    """-min(G₁₂, 0)/G_tt (..., 2): how much of g_t cancels its conflict with the other task.

    0 where g_t is zero.
    """
    squares = gramian.diagonal(dim1=-2, dim2=-1).clamp_min(tiny(gramian))
    return gramian[..., 0, 1, None].clamp_max(0).neg() / squares


@dataclass(frozen=True)
class PCGrad(Weighting):
    """Project each gradient on the normal plane of every one it conflicts with, in random order.

    Closed form for two tasks, w_t = 1 - min(G₁₂, 0)/G_tt. For more, Yu et al. (2020, algorithm
    1) draw the order of the projections at every step; here their mean over all orders, the
    expectation of that draw, is taken: the update is the same whatever the tasks' numbering.
    """

    needs: ClassVar[Needs] = "gramian"
    tasks: ClassVar[tuple[int, int | None]] = (2, _MOST_TASKS)

    def weights(self, step: Step, /) -> tuple[Tensor, Mapping[str, Tensor]]:
        """Weights (..., T), at least 1 for two tasks."""
        assert step.gramian is not None
        if step.gramian.shape[-1] == 2:
            return 1 + conflict_share(step.gramian), step.state
        return _mean_over_orders(step.gramian), step.state


def _mean_over_orders(gramian: Tensor) -> Tensor:
    tasks = gramian.shape[-1]
    total = torch.zeros_like(gramian[..., 0])
    count = 0
    for task in range(tasks):
        for order in permutations(other for other in range(tasks) if other != task):
            total = total + _projected(gramian, task, order)
            count += 1
    return total * (tasks / count)


def _projected(gramian: Tensor, task: int, order: tuple[int, ...]) -> Tensor:
    """Coefficients (..., T) of g_task after its projections in the given order."""
    eye = torch.eye(gramian.shape[-1], dtype=gramian.dtype, device=gramian.device)
    coefficients = eye[task].expand_as(gramian[..., 0])
    for other in order:
        inner = (coefficients * gramian[..., other]).sum(-1)
        share = inner.clamp_max(0) / gramian[..., other, other].clamp_min(tiny(gramian))
        coefficients = coefficients - share[..., None] * eye[other]
    return coefficients
