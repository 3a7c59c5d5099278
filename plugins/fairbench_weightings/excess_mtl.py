"""ExcessMTL: weights by how far each task is from where it will converge."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar

import torch
from annotated_types import Gt

from fairbench.weighting import Needs, Weighting

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from fairbench.weighting import Step

__all__ = ["ExcessMTL"]

_EPS = 1e-7


@dataclass(frozen=True)
class ExcessMTL(Weighting):
    """w_t ← w_t exp(η E_t/E_t(0)), Σw = T, by estimated excess risks E (He et al. 2024, alg. 1).

    E_t = Σ_p g_tp²/√(S_tp + ε), S the sum of all squared gradients so far. Weights stay 1 at the
    first step, whose E is what later ones are relative to: noise that no training removes does
    not weigh. They are kept as logarithms, which do not overflow.

    Parameters
    ----------
    rate
        η. The official code's example takes 1, with which few steps decide.
    """

    needs: ClassVar[Needs] = "jacobian"

    rate: Annotated[float, Gt(0)] = 0.01

    def initial_state(self, tasks: int, /) -> dict[str, Tensor]:
        """``logits`` (T,), ``first`` excess risks (T,), ``steps`` (1,) so far."""
        return {
            "logits": torch.zeros(tasks),
            "first": torch.zeros(tasks),
            "steps": torch.zeros(1),
        }

    def gradient_state(self, tasks: int, parameters: int, /) -> dict[str, Tensor]:
        """``squares`` (T, P), zero."""
        return {"squares": torch.zeros(tasks, parameters)}

    def weights(self, step: Step, /) -> tuple[Tensor, Mapping[str, Tensor]]:
        """Positive weights (..., T) of sum T."""
        assert step.jacobian is not None
        state = step.state
        square = step.jacobian.square()
        squares = state["squares"] + square
        excess = (square / (squares + _EPS).sqrt()).sum(-1)
        begun = state["steps"] > 0
        first = torch.where(begun, state["first"], excess)
        change = torch.where(begun, self.rate * excess / (first + _EPS), 0.0)
        logits = (state["logits"] + change).log_softmax(-1)
        after = {
            "logits": logits,
            "first": first,
            "steps": state["steps"] + 1,
            "squares": squares,
        }
        return logits.shape[-1] * logits.exp(), after
