"""FairGrad: alpha-fair allocation across tasks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar

import torch
from annotated_types import Gt

from fairbench.weighting import Needs, Weighting
from fairbench_weightings._gramian import cosine, norms, require_tasks, tiny, where_positive

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from fairbench.weighting import Step

__all__ = ["FairGrad"]

_NEWTON_STEPS = 8
_LARGEST_LOG = 40.0  # keeps exponentials finite in float32


@dataclass(frozen=True)
class FairGrad(Weighting):
    """Gw = w^{-1/α}, w > 0 (Ban and Ji 2024, eq. 4), for two tasks.

    "Fair" is across tasks here, not across people: the rule says nothing about groups. A task
    with a zero gradient has weight 1; where gradients are opposed there is no solution, and what
    would vanish is kept at the rounding unit.

    Parameters
    ----------
    alpha
        α: 1 is the Nash bargaining solution, larger values favour the task that gains least.
    """

    needs: ClassVar[Needs] = "gramian"

    alpha: Annotated[float, Gt(0)] = 2.0

    def initial_state(self, tasks: int, /) -> dict[str, Tensor]:
        """Nothing.

        Raises
        ------
        StudyError
            Unless there are two tasks.
        """
        require_tasks("fairgrad", tasks, most=2)
        return {}

    def weights(self, step: Step, /) -> tuple[Tensor, Mapping[str, Tensor]]:
        """Positive weights (..., 2)."""
        assert step.gramian is not None
        power = 1 / self.alpha
        n = norms(step.gramian)
        c = cosine(step.gramian, n)
        logs = n.clamp_min(tiny(n)).log()
        ratio = _log_ratio(c, (1 - power) * (logs[..., 0] - logs[..., 1]), power)
        ratios = torch.stack([ratio, -ratio], dim=-1).clamp(-_LARGEST_LOG, _LARGEST_LOG).exp()
        gain = (1 + c[..., None] * ratios).clamp_min(torch.finfo(n.dtype).eps)
        # With w_t = a_t/n_t, equation t reads n_t a_t gain_t = (a_t/n_t)^(-1/α).
        scaled = ((power - 1) * logs - gain.log()) / (1 + power)
        return where_positive(n, (scaled - logs).exp()), step.state


def _log_ratio(c: Tensor, offset: Tensor, power: float) -> Tensor:
    """T = log(a₂/a₁) with ``offset + φ_c(t) = t·power``, φ_c(t) = log((1 + c eᵗ)/(eᵗ + c)).

    For c < 0 the unknown is y = φ_c(t) instead, of which t = φ_{-c}(y). Either way the equation
    is ``p·x - q·φ_{|c|}(x) = r``, increasing, and concave on the side of 0 where its root is, so
    that Newton's steps from 0 approach the root from one side.
    """
    opposed = c < 0
    one = torch.ones_like(c)
    p, q = torch.where(opposed, one, power), torch.where(opposed, power, one)
    r = torch.where(opposed, -offset, offset)
    log_c = c.abs().log()
    x = torch.zeros_like(c)
    for _ in range(_NEWTON_STEPS):
        slope = torch.sigmoid(x + log_c) - torch.sigmoid(x - log_c)
        x = x - (p * x - q * _phi(x, log_c) - r) / (p - q * slope)
    return torch.where(opposed, _phi(x, log_c), x)


def _phi(x: Tensor, log_c: Tensor) -> Tensor:
    return torch.logaddexp(torch.zeros_like(x), x + log_c) - torch.logaddexp(x, log_c)
