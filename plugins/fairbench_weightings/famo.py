"""FAMO: equal relative decrease of all losses, without gradients per task."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import torch
from annotated_types import Ge, Gt

from fairbench.weighting import Weighting
from fairbench_weightings._adam import adam, adam_state

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from fairbench.weighting import Step

__all__ = ["FAMO"]

_EPS = 1e-8


@dataclass(frozen=True)
class FAMO(Weighting):
    """w_t ∝ z_t/D_t of sum 1, z = softmax ξ, D_t = L_t - b (Liu et al. 2023, algorithm 1).

    After the step ξ descends z ⊙ (δ - zᵀδ), δ_t = log D_t - log D_t' of the same batch's losses
    before and after, by Adam: a task that improved more than the others loses weight. ξ begins at
    0.

    Parameters
    ----------
    rate
        Learning rate of ξ.
    decay
        γ: weight decay of ξ, which pulls z to equal shares.
    bound
        b: a number below every loss. A squared error that reaches it takes all the weight: take a
        negative one, as -0.001, where tasks can be fitted exactly.
    """

    rate: Annotated[float, Gt(0)] = 0.025
    decay: Annotated[float, Ge(0)] = 0.001
    bound: float = 0.0

    def initial_state(self, tasks: int, /) -> dict[str, Tensor]:
        """``logits`` ξ (T,), zero, and Adam's own."""
        return {"logits": torch.zeros(tasks), **adam_state(tasks)}

    def weights(self, step: Step, /) -> tuple[Tensor, Mapping[str, Tensor]]:
        """Positive weights (..., T) of sum 1."""
        # z/D up to a factor, from logarithms: it neither overflows nor vanishes.
        raw = step.state["logits"] - self._gap(step.losses).log()
        return raw.softmax(-1), step.state

    def after_step(
        self, before: Tensor, after: Tensor, state: Mapping[str, Tensor], /
    ) -> Mapping[str, Tensor]:
        """ξ one Adam step on."""
        logits = state["logits"]
        z = logits.softmax(-1)
        gain = self._gap(before).log() - self._gap(after).log()
        gradient = z * (gain - (z * gain).sum(-1, keepdim=True)) + self.decay * logits
        change, moments = adam(gradient, state, self.rate, eps=_EPS)
        return {"logits": logits - change, **moments}

    def _gap(self, losses: Tensor) -> Tensor:
        """D (..., T), positive."""
        return (losses - self.bound).clamp_min(0) + _EPS
