"""CAGrad: the best worst-case improvement within a ball around the mean gradient."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar

import torch
from annotated_types import Ge, Lt

from fairbench.weighting import Needs, Weighting
from fairbench_weightings._gramian import norms, unit_trace
from fairbench_weightings._solve import MOST_TASKS, minimum_on_simplex

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from fairbench.weighting import Step

__all__ = ["CAGrad"]


@dataclass(frozen=True)
class CAGrad(Weighting):
    """d = g₀ + c‖g₀‖ g_w/‖g_w‖, where w minimises g_w·g₀ + c‖g₀‖‖g_w‖ on the simplex.

    g₀ is the mean gradient and g_w = Σ w_t g_t (Liu et al. 2021, algorithm 1, without the
    official code's division by 1 + c²). Closed form for two tasks, enumeration of the faces of
    the simplex for more. Where g_w is zero, d = g₀.

    Parameters
    ----------
    c
        Radius of the ball over the length of the mean gradient; 0 is the mean gradient.
    """

    needs: ClassVar[Needs] = "gramian"
    tasks: ClassVar[tuple[int, int | None]] = (2, MOST_TASKS)

    c: Annotated[float, Ge(0), Lt(1)] = 0.5

    def weights(self, step: Step, /) -> tuple[Tensor, Mapping[str, Tensor]]:
        """Weights (..., T), at least 1/T."""
        assert step.gramian is not None
        tasks = step.gramian.shape[-1]
        g, _ = unit_trace(step.gramian)
        along_mean = g.mean(-1)  # (..., T): g_t·g₀
        radius = self.c * along_mean.mean(-1).clamp_min(0).sqrt()
        w = _closed_form(g, radius) if tasks == 2 else minimum_on_simplex(g, along_mean, radius)
        square = ((w[..., None, :] @ g).squeeze(-2) * w).sum(-1)
        # Rounding leaves a multiple of this where opposed gradients cancel to g_w = 0.
        rounding = 4 * torch.finfo(g.dtype).eps * (w * norms(g)).sum(-1).square()
        factor = torch.where(square > rounding, radius / square.sqrt(), 0.0)
        return 1 / tasks + factor[..., None] * w, step.state


def _closed_form(g: Tensor, radius: Tensor) -> Tensor:
    """The minimiser (..., 2), from f(x) = ax + b + k√(Dx² - 2px + q), w = (x, 1-x).

    D = ‖g₁ - g₂‖², p = G₂₂ - G₁₂, q = G₂₂, a = (G₁₁ - G₂₂)/2. f' vanishes at
    x = (p - a√det G/√(k²D - a²))/D where that root is real; elsewhere f is monotone.
    """
    first, second, inner = g[..., 0, 0], g[..., 1, 1], g[..., 0, 1]
    apart = (first + second - 2 * inner).clamp_min(0)
    slope = (first - second) / 2
    det = (first * second - inner.square()).clamp_min(0)
    room = radius.square() * apart - slope.square()
    inside = (second - inner - slope * (det / room).sqrt()) / apart
    end = (slope < 0).to(g.dtype)
    x = torch.where(room > 0, inside.clamp(0, 1), end)
    return torch.stack([x, 1 - x], dim=-1)
