"""Dynamic weight average: more weight to tasks that learn slowly."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar

import torch
from annotated_types import Gt

from fairbench.weighting import Weighting
from fairbench_weightings._gramian import tiny

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from fairbench.weighting import Step

__all__ = ["DynamicWeightAverage"]


@dataclass(frozen=True)
class DynamicWeightAverage(Weighting):
    """w = T·softmax(r/τ), r_t = L_t(e-1)/L_t(e-2) of epoch means (Liu et al. 2019, eq. 7).

    The first two epochs weigh all tasks by 1. A task whose loss was zero has r_t = 1.

    Parameters
    ----------
    temperature
        τ: the larger, the more even the weights.
    """

    constant: ClassVar[bool] = True

    temperature: Annotated[float, Gt(0)] = 2.0

    def initial_state(self, tasks: int, /) -> dict[str, Tensor]:
        """``weights`` (T,), ``previous`` epoch's losses (T,), ``epochs`` so far (1,)."""
        return {
            "weights": torch.ones(tasks),
            "previous": torch.zeros(tasks),
            "epochs": torch.zeros(1),
        }

    def weights(self, step: Step, /) -> tuple[Tensor, Mapping[str, Tensor]]:
        """The weights (..., T) of this epoch."""
        return step.state["weights"].expand_as(step.losses), step.state

    def epoch_end(self, losses: Tensor, state: Mapping[str, Tensor], /) -> Mapping[str, Tensor]:
        """The state with the weights of the next epoch."""
        previous = state["previous"]
        ratio = torch.where(previous > 0, losses / previous.clamp_min(tiny(losses)), 1.0)
        dynamic = losses.shape[-1] * (ratio / self.temperature).softmax(-1)
        return {
            "weights": torch.where(state["epochs"] >= 1, dynamic, 1.0),
            "previous": losses,
            "epochs": state["epochs"] + 1,
        }
