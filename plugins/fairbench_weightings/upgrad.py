"""UPGrad: the mean of the gradients, each projected to conflict with none."""

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

__all__ = ["UPGrad"]


@dataclass(frozen=True)
class UPGrad(Weighting):
    """w = Σ_i argmin vᵀGv over v ≥ e_i/T (Quinton and Rey 2024, proposition 1).

    For two tasks half of PCGrad; enumeration of active sets for more.
    """

    needs: ClassVar[Needs] = "gramian"
    tasks: ClassVar[tuple[int, int | None]] = (2, MOST_TASKS)

    def weights(self, step: Step, /) -> tuple[Tensor, Mapping[str, Tensor]]:
        """Weights (..., T), at least 1/T."""
        g = step.gramian
        assert g is not None
        tasks = g.shape[-1]
        if tasks == 2:
            return (1 + conflict_share(g)) / 2, step.state
        each = torch.eye(tasks, dtype=g.dtype, device=g.device) / tasks
        return minimum_in_cone(g, each.expand_as(g)).sum(-2), step.state
