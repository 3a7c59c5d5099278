"""IMTL-G: the combination with equal projections on all unit gradients."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import torch

from fairbench.weighting import Needs, Weighting
from fairbench_weightings._gramian import cosines, norms, tiny
from fairbench_weightings._units import MOST_TASKS, equal_cosines

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from fairbench.weighting import Step

__all__ = ["ImpartialGradient"]

_NONE = 1e-2  # of unit gradients, what a direction lacks to be at equal angles to all


@dataclass(frozen=True)
class ImpartialGradient(Weighting):
    """Σw = 1 with d·g_t/n_t the same for all tasks (Liu et al. 2021).

    Closed form for two tasks, w = (n₂, n₁)/(n₁ + n₂). For more, w_t ∝ (C⁺1)_t/n_t with C the
    cosines: weights may be negative, as in the paper. Where gradients leave no direction at
    equal angles, as opposed ones, d = 0 is what has equal projections, and they share the
    weight. Tasks with zero gradients, if any, share all of it.
    """

    needs: ClassVar[Needs] = "gramian"
    tasks: ClassVar[tuple[int, int | None]] = (2, MOST_TASKS)

    def weights(self, step: Step, /) -> tuple[Tensor, Mapping[str, Tensor]]:
        """Weights (..., T) of sum 1."""
        assert step.gramian is not None
        n = norms(step.gramian)
        tasks = n.shape[-1]
        share = n.flip(-1) if tasks == 2 else _share(step.gramian, n)
        total = share.sum(-1, keepdim=True)
        return torch.where(total != 0, share / total, 1 / tasks), step.state


def _share(gramian: Tensor, n: Tensor) -> Tensor:
    """The weights (..., T) up to a factor."""
    v, cancelling = equal_cosines(cosines(gramian, n).double())
    dependent = cancelling.abs().amax(-1, keepdim=True) > _NONE
    share = torch.where(dependent, cancelling, v).to(n.dtype) * _others(n)
    vanishing = (n == 0).to(n.dtype)
    return torch.where(vanishing.amax(-1, keepdim=True) > 0, vanishing, share)


def _others(n: Tensor) -> Tensor:
    """The product (..., T) of the other tasks' norms, over the largest: 1/n_t up to a factor."""
    scaled = n / n.amax(-1, keepdim=True).clamp_min(tiny(n))
    eye = torch.eye(n.shape[-1], dtype=torch.bool, device=n.device)
    return scaled[..., None, :].masked_fill(eye, 1.0).prod(-1)
