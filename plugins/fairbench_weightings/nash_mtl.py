"""Nash-MTL: the Nash bargaining solution of the tasks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import torch

from fairbench.weighting import Needs, Weighting
from fairbench_weightings._gramian import (
    NEARLY_OPPOSED,
    cosine,
    cosines,
    norms,
    where_positive,
)
from fairbench_weightings._solve import MOST_TASKS, solve

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from fairbench.weighting import Step

__all__ = ["NashMTL"]

_NEWTON_STEPS = 20  # enough for gradients of six tasks that nearly cancel
_TO_BORDER = 0.9
_MOST = NEARLY_OPPOSED**-0.5
_BARRIER = 1e-9


@dataclass(frozen=True)
class NashMTL(Weighting):
    """w_t (Gw)_t = 1, w > 0 (Navon et al. 2022), solved at every step.

    Closed form for two tasks, w_t = 1/(n_t√(1 + c)); Newton steps for more. The update
    has length √T whatever the gradients. Where gradients cancel there is no solution: no w_t
    exceeds 100/n_t, which takes 1 + c of two tasks to be 10⁻⁴ at least. A task with a zero
    gradient has weight 1.
    """

    needs: ClassVar[Needs] = "gramian"
    tasks: ClassVar[tuple[int, int | None]] = (2, MOST_TASKS)

    def weights(self, step: Step, /) -> tuple[Tensor, Mapping[str, Tensor]]:
        """Positive weights (..., T)."""
        assert step.gramian is not None
        n = norms(step.gramian)
        if n.shape[-1] == 2:
            agreement = (1 + cosine(step.gramian, n)).clamp_min(NEARLY_OPPOSED)
            scaled = agreement.rsqrt()[..., None]
        else:
            scaled = _bargain(cosines(step.gramian, n).double()).to(n.dtype)
        return where_positive(n, scaled / n), step.state


def _bargain(c: Tensor) -> Tensor:
    """The a (..., T) with a_t (Ca)_t = 1: the minimiser of ½aᵀCa - Σ log a_t on 0 < a < 100.

    Convex, so that Newton's method applies; a step that would leave a > 0 is cut to nine tenths
    of the way to the border. (Steps over 1 + the Newton decrement would be safe in theory, but
    take two to three times as many.) The upper border has a barrier too small to be felt far
    from it.
    """
    a = torch.ones_like(c[..., :1])
    for _ in range(_NEWTON_STEPS):
        room = _MOST - a
        gradient = c @ a - 1 / a + _BARRIER / room
        curvature = a.square().reciprocal() + _BARRIER / room.square()
        move = solve(c + torch.diag_embed(curvature.squeeze(-1)), gradient)
        share = torch.maximum(move / a, -move / room).amax(-2, keepdim=True)
        a = a - move * (_TO_BORDER / share.clamp_min(_TO_BORDER))
    return a.squeeze(-1)
