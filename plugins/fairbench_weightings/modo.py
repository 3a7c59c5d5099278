"""MoDo: multi-objective descent whose weights follow a step of their own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar

import torch
from annotated_types import Ge

from fairbench.weighting import Needs, Weighting
from fairbench_weightings._simplex import project

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from fairbench.weighting import Step

__all__ = ["MoDo"]


@dataclass(frozen=True)
class MoDo(Weighting):
    """λ ← Π(λ - γ(Gλ + ρλ)), Π the projection on the simplex; w = λ (Chen et al. 2023, alg. 1).

    The paper draws three independent batches a step, two for λ and one for the update; here one
    batch serves all three. λ begins at 1/T, and a constant G takes it to the minimum of
    λᵀ(G + ρI)λ.

    Parameters
    ----------
    gamma
        γ, in units of 1/gradient²: λ stands still as gradients shrink.
    rho
        ρ: pulls λ to equal weights.
    """

    needs: ClassVar[Needs] = "gramian"

    gamma: Annotated[float, Ge(0)] = 0.001
    rho: Annotated[float, Ge(0)] = 0.1

    def initial_state(self, tasks: int, /) -> dict[str, Tensor]:
        """``shares`` (T,), equal."""
        return {"shares": torch.full((tasks,), 1 / tasks, dtype=torch.float64)}

    def weights(self, step: Step, /) -> tuple[Tensor, Mapping[str, Tensor]]:
        """Weights (..., T), not negative, of sum 1, after their own update."""
        assert step.gramian is not None
        before = step.state["shares"].to(step.gramian.dtype)
        slope = (step.gramian @ before[..., None]).squeeze(-1) + self.rho * before
        shares = project(before - self.gamma * slope)
        return shares, {"shares": shares}
