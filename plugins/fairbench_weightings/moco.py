"""MoCo: multi-objective descent along moving averages of the gradients."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

import torch
from annotated_types import Ge, Gt, Le

from fairbench.weighting import Needs, Weighting
from fairbench_weightings._simplex import project

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from fairbench.weighting import Step

__all__ = ["MoCo"]

_EPS = 1e-8


@dataclass(frozen=True)
class MoCo(Weighting):
    """d = Yᵀλ, Y ← Y - β_k(Y - g̃), λ ← Π(λ - γ_k(YYᵀ + ρI)λ) (Fernando et al. 2023, alg. 1).

    β_k = β/√k and γ_k = γ/√k in step k; g̃_t = g_t·L_t/n_t, as in the reference code. Y begins at
    zero, λ at 1/T. A constant Jacobian takes λ to the weights of MGDA. Heads have the weights λ.

    Parameters
    ----------
    beta
        β: share of the newest gradients.
    gamma
        γ: step of λ.
    rho
        ρ: pulls λ to equal weights.
    raw
        Take g̃ = g, as the paper does.
    warm
        Begin Y at the first g̃, so that the first steps are not short.
    projection
        ``simplex`` is the paper's Π; ``softmax`` is the reference code's, which keeps λ near equal
        weights whatever the gradients.
    """

    needs: ClassVar[Needs] = "jacobian"

    beta: Annotated[float, Gt(0), Le(1)] = 0.5
    gamma: Annotated[float, Ge(0)] = 0.1
    rho: Annotated[float, Ge(0)] = 0.0
    raw: bool = False
    warm: bool = False
    projection: Literal["simplex", "softmax"] = "simplex"

    def initial_state(self, tasks: int, /) -> dict[str, Tensor]:
        """``shares`` (T,), equal, and ``steps`` (1,) so far."""
        return {
            "shares": torch.full((tasks,), 1 / tasks, dtype=torch.float64),
            "steps": torch.zeros(1),
        }

    def gradient_state(self, tasks: int, parameters: int, /) -> dict[str, Tensor]:
        """``average`` (T, P), zero."""
        return {"average": torch.zeros(tasks, parameters)}

    def weights(self, step: Step, /) -> tuple[Tensor, Mapping[str, Tensor]]:
        """λ (..., T) after its own update."""
        _, weights, state = self.direction(step)
        return weights, state

    def direction(self, step: Step, /) -> tuple[Tensor, Tensor, Mapping[str, Tensor]]:
        """Yᵀλ (..., P), λ (..., T) and the state."""
        assert step.jacobian is not None
        state, rows = step.state, step.jacobian
        if not self.raw:
            lengths = torch.linalg.vector_norm(rows, dim=-1)
            rows = rows * (step.losses / (lengths + _EPS))[..., None]
        steps = state["steps"] + 1
        pace = steps.rsqrt()
        share = self.beta * pace
        if self.warm:
            share = torch.where(steps == 1, 1.0, share)
        average = state["average"] + share[..., None] * (rows - state["average"])
        before = state["shares"].to(rows.dtype)
        pull = (average @ (before[..., None, :] @ average).mT).squeeze(-1) + self.rho * before
        moved = before - self.gamma * pace * pull
        shares = project(moved) if self.projection == "simplex" else moved.softmax(-1)
        after = {"shares": shares, "steps": steps, "average": average}
        return (shares[..., None] * average).sum(-2), shares, after
