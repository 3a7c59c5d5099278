"""nclm: the linear model of least error under Komiyama's bound."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fairbench_baselines.linear.decomposed import Decomposed, Parts

if TYPE_CHECKING:
    from fairbench.dataset import FloatArray

__all__ = ["NCLM"]


@dataclass(frozen=True)
class NCLM(Decomposed):
    """Least squared error over both parts, Sα and Ûβ, under the bound r on the attribute's share.

    Komiyama et al. (2018) [paper]; they solve a non-convex programme, whose answer is in closed
    form [derived]: α = a·α̂ and β = b·β̂ with a = kb and b = (Ak + B)/(Ak² + B), where A and B are
    the variances of the unbounded parts and k² = rB/((1 − r)A). b exceeds 1: the part that is
    not the attribute's is inflated to make room for it, which frrm avoids. With a `penalty` β̂ is
    that of ridge, and the error is least among its multiples.
    """

    def shrunk(self, parts: Parts, share: float, /) -> tuple[FloatArray, FloatArray]:
        k = parts.factor(share)
        of_s, of_u = parts.variances
        if k >= 1 or of_u == 0:
            return min(k, 1.0) * parts.alpha, parts.beta
        b = (of_s * k + of_u) / (of_s * k**2 + of_u)
        return k * b * parts.alpha, b * parts.beta
