"""IMTL-L: learned scales that make all weighted losses equal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from fairbench.weighting import Weighting

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from fairbench.weighting import Step

__all__ = ["ImpartialLoss"]


@dataclass(frozen=True)
class ImpartialLoss(Weighting):
    """Minimise Σ e^{s_t} L_t - s_t over the network and s (Liu et al. 2021).

    s_t begins at 0 and is best at -log L_t, where every weighted loss is 1.
    """

    def initial_parameters(self, tasks: int, /) -> dict[str, Tensor]:
        """``log_scales`` (T,), zero."""
        return {"log_scales": torch.zeros(tasks)}

    def objective(self, losses: Tensor, step: Step, /) -> tuple[Tensor, Mapping[str, Tensor]]:
        """The scaled losses with their penalty (...)."""
        s = step.parameters["log_scales"]
        return (s.exp() * losses - s).sum(-1), step.state
