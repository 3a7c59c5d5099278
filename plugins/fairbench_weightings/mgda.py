"""MGDA: the shortest convex combination of the gradients."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import torch

from fairbench.weighting import Needs, Weighting
from fairbench_weightings._solve import MOST_TASKS, minimum_on_simplex

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from fairbench.weighting import Step

__all__ = ["MultipleGradientDescent"]


@dataclass(frozen=True)
class MultipleGradientDescent(Weighting):
    """min wᵀGw on the simplex (Désidéri 2012; Sener and Koltun 2018, eq. 3).

    Closed form for two tasks, w₁ = clip((G₂₂ - G₁₂)/‖g₁ - g₂‖², 0, 1) and ½ where the gradients
    are equal; enumeration of the faces of the simplex for more. Equal gradients share their
    weight equally.
    """

    needs: ClassVar[Needs] = "gramian"
    tasks: ClassVar[tuple[int, int | None]] = (2, MOST_TASKS)

    def weights(self, step: Step, /) -> tuple[Tensor, Mapping[str, Tensor]]:
        """Weights (..., T), not negative, of sum 1."""
        g = step.gramian
        assert g is not None
        if g.shape[-1] > 2:
            zero = torch.zeros_like(step.losses)
            return minimum_on_simplex(g, zero, torch.ones_like(zero[..., 0])), step.state
        towards_first = g[..., 1, 1] - g[..., 0, 1]
        apart = g[..., 0, 0] - g[..., 0, 1] + towards_first
        first = torch.where(apart > 0, (towards_first / apart).clamp(0, 1), 0.5)
        return torch.stack([first, 1 - first], dim=-1), step.state
