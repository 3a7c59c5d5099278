"""Smooth Tchebycheff scalarisation: a smooth maximum of the losses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from annotated_types import Gt

from fairbench.weighting import Weighting

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from fairbench.weighting import Step

__all__ = ["SmoothTchebycheff"]


@dataclass(frozen=True)
class SmoothTchebycheff(Weighting):
    """Minimise μ·log Σ exp(L_t/μ) (Lin et al. 2024; all preferences 1, ideal point 0).

    Parameters
    ----------
    mu
        μ, in units of the loss: small values approach the largest loss, large ones the mean.
    """

    mu: Annotated[float, Gt(0)] = 1.0

    def objective(self, losses: Tensor, step: Step, /) -> tuple[Tensor, Mapping[str, Tensor]]:
        """The smooth maximum (...) of `losses` (..., T)."""
        return self.mu * (losses / self.mu).logsumexp(-1), step.state
