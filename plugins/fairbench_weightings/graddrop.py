"""GradDrop: each coordinate follows the tasks of one sign, drawn by how pure it is."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar

import torch
from annotated_types import Ge, Le

from fairbench.weighting import Needs, Weighting
from fairbench_weightings._gramian import tiny

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from fairbench.weighting import Step

__all__ = ["GradDrop"]


@dataclass(frozen=True)
class GradDrop(Weighting):
    """Keep the positive entries of a coordinate with chance P, else the negative ones.

    P = ½(1 + Σ_t g_t/Σ_t|g_t|) is the coordinate's purity (Chen et al. 2020, eq. 3). The mean of
    the update is Σ g_t, and only coordinates in which tasks conflict are random. It acts on the
    gradients of the trunk's parameters; the paper, on those of the representation, summed over
    the batch. One uniform number per coordinate serves all tasks. Heads have weight 1.

    Parameters
    ----------
    leak
        What every task keeps of an entry that is dropped; 1 is the sum of the gradients.
    """

    needs: ClassVar[Needs] = "jacobian"
    noisy: ClassVar[bool] = True

    leak: Annotated[float, Ge(0), Le(1)] = 0.0

    def direction(self, step: Step, /) -> tuple[Tensor, Tensor, Mapping[str, Tensor]]:
        """The masked sum (..., P) and weights 1 (..., T)."""
        assert step.jacobian is not None
        assert step.noise is not None
        rows = step.jacobian
        total = rows.sum(-2)
        size = rows.abs().sum(-2)
        purity = (1 + total / size.clamp_min(tiny(rows))) / 2
        uniform = (1 + torch.erf(step.noise / math.sqrt(2))) / 2
        kept = torch.where(purity > uniform, rows.clamp_min(0).sum(-2), rows.clamp_max(0).sum(-2))
        mixed = self.leak * total + (1 - self.leak) * kept
        # Without conflict the sum itself, to the last bit: a draw of 0 or 1 does not matter.
        pure = torch.where(size > total.abs(), mixed, total)
        return pure, torch.ones_like(step.losses), step.state
