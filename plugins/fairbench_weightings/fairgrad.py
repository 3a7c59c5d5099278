"""FairGrad: alpha-fair allocation across tasks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar

import torch
from annotated_types import Gt

from fairbench.weighting import Needs, Weighting
from fairbench_weightings._gramian import (
    NEARLY_OPPOSED,
    cosine,
    norms,
    tiny,
    where_positive,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from fairbench.weighting import Step

__all__ = ["FairGrad"]

_NEWTON_STEPS = 6  # with these the error is rounding, for norms 10⁶ apart and α from 0.2 to 10


@dataclass(frozen=True)
class FairGrad(Weighting):
    """Gw = w^{-1/α}, w > 0 (Ban and Ji 2024, eq. 4), for two tasks.

    "Fair" is across tasks here, not across people: the rule says nothing about groups. A task
    with a zero gradient has weight 1; where gradients are opposed there is no solution, and
    1 - c², which would vanish, is kept at 2·10⁻⁴.

    Parameters
    ----------
    alpha
        α: 1 is the Nash bargaining solution, larger values favour the task that gains least.
    """

    needs: ClassVar[Needs] = "gramian"
    tasks: ClassVar[tuple[int, int | None]] = (2, 2)

    alpha: Annotated[float, Gt(0)] = 2.0

    def weights(self, step: Step, /) -> tuple[Tensor, Mapping[str, Tensor]]:
        """Positive weights (..., 2)."""
        assert step.gramian is not None
        power = 1 / self.alpha
        n = norms(step.gramian)
        c = cosine(step.gramian, n)
        logs = n.clamp_min(tiny(n)).log()
        gains = _log_gains(c, (1 - power) * (logs[..., 0] - logs[..., 1]), power)
        # With w_t = a_t/n_t, equation t reads n_t a_t gain_t = (a_t/n_t)^(-1/α).
        scaled = ((power - 1) * logs - gains) / (1 + power)
        return where_positive(n, (scaled - logs).exp()), step.state


def _log_gains(c: Tensor, offset: Tensor, power: float) -> Tensor:
    """Logarithms (..., 2) of 1 + c·a₂/a₁ and 1 + c·a₁/a₂.

    t = log(a₂/a₁) solves ``offset + φ_c(t) = t·power``, φ_c(t) = log((1 + c eᵗ)/(eᵗ + c)). For
    c < 0 the unknown is y = φ_c(t) instead, of which t = φ_{-c}(y). Either way the equation is
    ``p·x - q·φ_{|c|}(x) = r``, increasing, and concave on the side of 0 where its root is, so
    that Newton's steps from 0 approach the root from one side.
    """
    opposed, one = c < 0, torch.ones_like(c)
    p, q = torch.where(opposed, one, power), torch.where(opposed, power, one)
    r = torch.where(opposed, -offset, offset)
    log_c = c.abs().log()
    x = torch.zeros_like(c)
    for _ in range(_NEWTON_STEPS):
        ahead, behind = _softplus(log_c + x), _softplus(log_c - x)
        slope = torch.sigmoid(log_c + x) + torch.sigmoid(log_c - x) - 1
        x = x - (p * x - q * (ahead - behind - x) - r) / (p - q * slope)
    both = _softplus(log_c[..., None] + torch.stack([x, -x], dim=-1))
    sine = (1 - c.square()).clamp_min(2 * NEARLY_OPPOSED).log()[..., None]
    return torch.where(opposed[..., None], sine - both.flip(-1), both)


def _softplus(x: Tensor) -> Tensor:
    return torch.nn.functional.softplus(x, threshold=40)
