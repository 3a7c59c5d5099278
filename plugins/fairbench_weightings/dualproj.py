"""Dual projection: the mean gradient projected to conflict with none."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import torch

from fairbench.weighting import Needs, Weighting
from fairbench_weightings._solve import MOST_TASKS, minimum_in_cone
from fairbench_weightings.pcgrad import conflict_share

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from fairbench.weighting import Step

__all__ = ["DualProjection"]


@dataclass(frozen=True)
class DualProjection(Weighting):
    """argmin wᵀGw over w ≥ 1/T (Lopez-Paz and Ranzato 2017, eq. 11).

    Closed form for two tasks, w_t = ½ max(1, -G₁₂/G_tt); enumeration of active sets for more.
    """

    needs: ClassVar[Needs] = "gramian"
    tasks: ClassVar[tuple[int, int | None]] = (2, MOST_TASKS)

    def weights(self, step: Step, /) -> tuple[Tensor, Mapping[str, Tensor]]:
        """Weights (..., T), at least 1/T."""
        g = step.gramian
        assert g is not None
        tasks = g.shape[-1]
        if tasks == 2:
            return conflict_share(g).clamp_min(1) / 2, step.state
        mean = torch.full_like(g[..., :1, :], 1 / tasks)
        return minimum_in_cone(g, mean).squeeze(-2), step.state
