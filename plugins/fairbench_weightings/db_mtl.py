"""DB-MTL: balances the scales of losses by logarithms, and those of gradients by their lengths."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar

import torch
from annotated_types import Ge, Le, Lt

from fairbench.weighting import Needs, Weighting

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from fairbench.weighting import Step

__all__ = ["DualBalancing"]

_FLOOR = 1e-3
_LARGEST_RATIO = 1e4


@dataclass(frozen=True)
class DualBalancing(Weighting):
    """d = Σ α_t B_t, α_t = max_s ‖B_s‖/‖B_t‖ (Lin et al. 2023, algorithm 1).

    B is the moving average of the gradients h_t = g_t/L_t of the logarithms of the losses,
    B ← h + β/k^σ·(B - h) in step k, from 0. Heads take the gradient of log L_t. So that a
    loss that reaches zero does not take the step with it, L_t counts as no less than a thousandth
    of its first value; α_t is no more than 10⁴.

    Parameters
    ----------
    beta
        β: share of what was before in the moving average; 0 is this batch alone.
    sigma
        σ: how fast that share falls with the steps.
    """

    needs: ClassVar[Needs] = "jacobian"

    beta: Annotated[float, Ge(0), Lt(1)] = 0.9
    sigma: Annotated[float, Ge(0), Le(1)] = 0.0

    def initial_state(self, tasks: int, /) -> dict[str, Tensor]:
        """``steps`` (1,) so far and ``first`` losses (T,)."""
        return {"steps": torch.zeros(1), "first": torch.zeros(tasks)}

    def gradient_state(self, tasks: int, parameters: int, /) -> dict[str, Tensor]:
        """``average`` (T, P), zero."""
        return {"average": torch.zeros(tasks, parameters)}

    def weights(self, step: Step, /) -> tuple[Tensor, Mapping[str, Tensor]]:
        """1/L_t (..., T): what the heads descend."""
        first = torch.where(step.state["steps"] > 0, step.state["first"], step.losses)
        floor = (_FLOOR * first).clamp_min(torch.finfo(first.dtype).tiny)
        # A loss that begins at zero has no logarithm to speak of: its weight is 1.
        weights = torch.where(first > 0, 1 / torch.maximum(step.losses, floor), 1.0)
        return weights, {**step.state, "steps": step.state["steps"] + 1, "first": first}

    def direction(self, step: Step, /) -> tuple[Tensor, Tensor, Mapping[str, Tensor]]:
        """The balanced sum (..., P), the heads' weights (..., T) and the moving average."""
        assert step.jacobian is not None
        weights, state = self.weights(step)
        logs = weights[..., None] * step.jacobian
        kept = self.beta / state["steps"] ** self.sigma
        average = logs + kept[..., None] * (step.state["average"] - logs)
        lengths = torch.linalg.vector_norm(average, dim=-1)
        longest = lengths.amax(-1, keepdim=True)
        ratios = longest / lengths.clamp_min(torch.finfo(lengths.dtype).tiny)
        alpha = torch.where(longest > 0, ratios.clamp_max(_LARGEST_RATIO), 1.0)
        return (alpha[..., None] * average).sum(-2), weights, {**state, "average": average}
