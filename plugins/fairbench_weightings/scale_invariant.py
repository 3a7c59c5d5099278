"""Scale-invariant weighting: the sum of the logarithms of the losses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from fairbench.weighting import Weighting

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from fairbench.weighting import Step

__all__ = ["ScaleInvariant", "log"]


def log(losses: Tensor, /) -> Tensor:
    """Logarithm, with value log(tiny) and gradient 0 where a loss is zero."""
    return losses.clamp_min(torch.finfo(losses.dtype).tiny).log()


@dataclass(frozen=True)
class ScaleInvariant(Weighting):
    """Minimise Σ log L_t: multiplying a loss by a constant changes no update."""

    def objective(self, losses: Tensor, step: Step, /) -> tuple[Tensor, Mapping[str, Tensor]]:
        """The sum (...) of the logarithms of `losses` (..., T)."""
        return log(losses).sum(-1), step.state
