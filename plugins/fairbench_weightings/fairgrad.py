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
    cosines,
    norms,
    tiny,
    where_positive,
)
from fairbench_weightings._solve import solve

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from fairbench.weighting import Step

__all__ = ["FairGrad"]

_STEPS_OF_MANY = 60
_TO_BORDER = 0.9
_MOST = NEARLY_OPPOSED**-0.5
_BARRIER = 1e-9
_NEWTON_STEPS = 6  # with these the error is rounding, for norms 10⁶ apart and α from 0.2 to 10


@dataclass(frozen=True)
class FairGrad(Weighting):
    """Gw = w^{-1/α}, w > 0 (Ban and Ji 2024, eq. 4), solved at every step.

    "Fair" is across tasks here, not across people: the rule says nothing about groups. A task
    with a zero gradient has weight 1; where gradients are opposed there is no solution, and
    1 - c², which would vanish, is kept at 2·10⁻⁴. Newton steps on one unknown for two tasks, on
    all for more; of those no w_t n_t exceeds 100 times what the task of most weight has alone.

    Parameters
    ----------
    alpha
        α: 1 is the Nash bargaining solution, larger values favour the task that gains least.
    """

    needs: ClassVar[Needs] = "gramian"
    tasks: ClassVar[tuple[int, int | None]] = (2, None)

    alpha: Annotated[float, Gt(0)] = 2.0

    def weights(self, step: Step, /) -> tuple[Tensor, Mapping[str, Tensor]]:
        """Positive weights (..., T)."""
        assert step.gramian is not None
        power = 1 / self.alpha
        n = norms(step.gramian)
        if n.shape[-1] > 2:
            return where_positive(n, _of_many(step.gramian, n, power)), step.state
        c = cosine(step.gramian, n)
        logs = n.clamp_min(tiny(n)).log()
        gains = _log_gains(c, (1 - power) * (logs[..., 0] - logs[..., 1]), power)
        # With w_t = a_t/n_t, equation t reads n_t a_t gain_t = (a_t/n_t)^(-1/α).
        scaled = ((power - 1) * logs - gains) / (1 + power)
        return where_positive(n, (scaled - logs).exp()), step.state


def _of_many(gramian: Tensor, n: Tensor, power: float) -> Tensor:
    """The w (..., T) by Newton's method in a_t = w_t n_t, where (Ca)_t = n_t^(p-1) a_t^(-p).

    It is the gradient of a convex function that vanishes. Steps are cut as in Nash-MTL, and begin
    where the solution of orthogonal gradients is.
    """
    c = cosines(gramian, n).double()
    logs = torch.where(n > 0, n, 1.0).double().log()
    wanted = ((power - 1) * logs)[..., None]
    a = (wanted / (1 + power)).exp()
    most, unit = _MOST * a.amax(-2, keepdim=True), _BARRIER * a
    for _ in range(_STEPS_OF_MANY):
        pull = (wanted - power * a.log()).exp()
        room = most - a
        gradient = c @ a - pull + unit * most / room
        curvature = power * pull / a + unit * most / room.square()
        move = solve(c + torch.diag_embed(curvature.squeeze(-1)), gradient)
        share = torch.maximum(move / a, -move / room).amax(-2, keepdim=True)
        a = a - move * (_TO_BORDER / share.clamp_min(_TO_BORDER))
    return (a.squeeze(-1).log() - logs).exp().to(n.dtype)


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
