"""GradNorm: weights that bring gradient norms towards the tasks' relative training rates."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar

import torch
from annotated_types import Ge, Gt

from fairbench.weighting import Needs, Weighting
from fairbench_weightings._adam import adam, adam_state
from fairbench_weightings._gramian import norms, tiny

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from fairbench.weighting import Step

__all__ = ["GradNorm", "gradnorm_gradient", "training_rates"]


def training_rates(losses: Tensor, initial: Tensor, /) -> Tensor:
    """Relative inverse training rates (..., T): L_t/L_t(0) over its mean across tasks."""
    ratios = torch.where(initial > 0, losses / initial.clamp_min(tiny(initial)), 1.0)
    mean = ratios.mean(-1, keepdim=True)
    return torch.where(mean > 0, ratios / mean.clamp_min(tiny(mean)), 1.0)


def gradnorm_gradient(logits: Tensor, norms: Tensor, rates: Tensor, /) -> Tensor:
    """Gradient (..., T) of ``Σ |w_t n_t - target_t|`` in the logits s, where w = T·softmax(s).

    ``target = mean(w n)·rates`` is held constant (Chen et al. 2018, eq. 2).
    """
    weights = logits.shape[-1] * logits.softmax(-1)
    weighted = weights * norms
    gap = weighted - weighted.mean(-1, keepdim=True) * rates
    pull = gap.sign() * weighted  # ∂/∂w_t is sign·n_t; softmax's Jacobian brings the factor w_t
    return pull - weights * pull.mean(-1, keepdim=True)


@dataclass(frozen=True)
class GradNorm(Weighting):
    """w = T·softmax(s), s descending ``Σ |w_t n_t - mean(w n) r_t^a|`` (Chen et al. 2018).

    n_t is the norm of task t's gradient in the whole trunk (the paper: in its last layer), and
    the softmax takes the place of the paper's renormalisation: weights stay positive.

    Parameters
    ----------
    asymmetry
        a: how strongly a task that lags is pushed; 0 asks for equal norms.
    rate
        Learning rate of Adam on s.
    """

    needs: ClassVar[Needs] = "gramian"

    asymmetry: Annotated[float, Ge(0)] = 1.5
    rate: Annotated[float, Gt(0)] = 0.025

    def initial_state(self, tasks: int, /) -> dict[str, Tensor]:
        """``logits`` (T,), ``initial`` losses (T,), and Adam's own."""
        return {"logits": torch.zeros(tasks), "initial": torch.zeros(tasks), **adam_state(tasks)}

    def weights(self, step: Step, /) -> tuple[Tensor, Mapping[str, Tensor]]:
        """Positive weights (..., T) of sum T, before their own update."""
        assert step.gramian is not None
        state = step.state
        logits = state["logits"]
        initial = torch.where(state["steps"] > 0, state["initial"], step.losses)
        rates = training_rates(step.losses, initial) ** self.asymmetry
        gradient = gradnorm_gradient(logits, norms(step.gramian), rates)
        change, moments = adam(gradient, state, self.rate)
        weights = step.losses.shape[-1] * logits.softmax(-1)
        return weights, {"logits": logits - change, "initial": initial, **moments}
