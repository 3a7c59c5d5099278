"""SDMGrad: MGDA, held to the mean gradient."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar

import torch
from annotated_types import Ge

from fairbench.weighting import Needs, Weighting
from fairbench_weightings._gramian import unit_trace
from fairbench_weightings._solve import MOST_TASKS, quadratic_on_simplex

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from fairbench.weighting import Step

__all__ = ["SDMGrad"]


@dataclass(frozen=True)
class SDMGrad(Weighting):
    """d = (Jᵀw + λg₀)/(1 + λ), w minimising ‖Jᵀw + λg₀‖ on the simplex (Xiao et al. 2023, eq. 6).

    g₀ is the mean gradient: λ = 0 is MGDA, large λ equal weights. The minimum is found exactly,
    from the batch itself: for two tasks in closed form, by faces of the simplex for more. The
    official code takes 20 momentum steps from the weights before, at a rate with which they do
    not converge for two tasks, on two independent batches, and a third for d.

    Parameters
    ----------
    lam
        λ: how strongly the update is held to the mean gradient.
    """

    needs: ClassVar[Needs] = "gramian"
    tasks: ClassVar[tuple[int, int | None]] = (2, MOST_TASKS)

    lam: Annotated[float, Ge(0)] = 0.3

    def weights(self, step: Step, /) -> tuple[Tensor, Mapping[str, Tensor]]:
        """Weights (..., T), not negative, of sum 1."""
        assert step.gramian is not None
        g, _ = unit_trace(step.gramian)
        tasks = g.shape[-1]
        if tasks == 2:
            w = _closed_form(g, self.lam)
        else:
            w = quadratic_on_simplex(g, self.lam * g.mean(-1))
        return (w + self.lam / tasks) / (1 + self.lam), step.state


def _closed_form(g: Tensor, lam: float) -> Tensor:
    """w₁ = clip(((G₂₂ - G₁₂) - λ/2·(G₁₁ - G₂₂))/‖g₁ - g₂‖², 0, 1), ½ where gradients are equal."""
    towards_first = g[..., 1, 1] - g[..., 0, 1]
    apart = g[..., 0, 0] - g[..., 0, 1] + towards_first
    pull = towards_first - lam / 2 * (g[..., 0, 0] - g[..., 1, 1])
    first = torch.where(apart > 0, (pull / apart).clamp(0, 1), 0.5)
    return torch.stack([first, 1 - first], dim=-1)
