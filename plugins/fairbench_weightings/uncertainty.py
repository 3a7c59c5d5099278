"""Uncertainty weighting: the noise variance of every task is learned."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from fairbench.weighting import Weighting

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from fairbench.weighting import Step

__all__ = ["Uncertainty"]


@dataclass(frozen=True)
class Uncertainty(Weighting):
    """Minimise Σ ½ e^{-s_t} L_t + ½ s_t over the network and s (Kendall et al. 2018, eq. 7).

    s_t is the logarithm of the variance, begins at 0, and is best at log L_t, where every
    weighted loss is ½. The paper halves the term of regression tasks only; here every task is
    treated alike.
    """

    def initial_parameters(self, tasks: int, /) -> dict[str, Tensor]:
        """``log_variances`` (T,), zero."""
        return {"log_variances": torch.zeros(tasks)}

    def objective(self, losses: Tensor, step: Step, /) -> tuple[Tensor, Mapping[str, Tensor]]:
        """The negative log likelihood (...), up to a constant."""
        s = step.parameters["log_variances"]
        return 0.5 * ((-s).exp() * losses + s).sum(-1), step.state

    def slopes(self, step: Step, /) -> tuple[Tensor, Mapping[str, Tensor], Mapping[str, Tensor]]:
        """½ e^{-s_t} for each loss, ½ - ½ e^{-s_t} L_t for each s_t."""
        weights = 0.5 * (-step.parameters["log_variances"]).exp()
        return weights, {"log_variances": 0.5 - weights * step.losses}, step.state
