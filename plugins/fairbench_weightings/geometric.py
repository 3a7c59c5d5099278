"""Geometric loss strategy: the geometric mean of the losses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fairbench.weighting import Weighting
from fairbench_weightings.scale_invariant import log

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from fairbench.weighting import Step

__all__ = ["Geometric"]


@dataclass(frozen=True)
class Geometric(Weighting):
    """Minimise (Π L_t)^{1/T} (Chennupati et al. 2019).

    Computed through logarithms, so that no product of small losses vanishes.
    """

    def objective(self, losses: Tensor, step: Step, /) -> tuple[Tensor, Mapping[str, Tensor]]:
        """The geometric mean (...) of `losses` (..., T)."""
        return log(losses).mean(-1).exp(), step.state
