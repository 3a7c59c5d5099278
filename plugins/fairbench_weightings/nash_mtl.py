"""Nash-MTL: the Nash bargaining solution of the tasks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import torch

from fairbench.weighting import Needs, Weighting
from fairbench_weightings._gramian import cosine, cosines, norms, require_tasks, where_positive
from fairbench_weightings._solve import MOST_TASKS, solve

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from fairbench.weighting import Step

__all__ = ["NashMTL"]

_NEWTON_STEPS = 20  # enough for gradients of six tasks that nearly cancel
_TO_BORDER = 0.9


@dataclass(frozen=True)
class NashMTL(Weighting):
    """w_t (Gw)_t = 1, w > 0 (Navon et al. 2022), solved at every step.

    Closed form for two tasks, w_t = 1/(n_t√(1 + c)); Newton steps for more. The update
    has length √T whatever the gradients. Where gradients cancel there is no solution: 1 + c is
    then kept at the rounding unit, and Newton stops after a fixed number of steps. A task with a
    zero gradient has weight 1.
    """

    needs: ClassVar[Needs] = "gramian"

    def initial_state(self, tasks: int, /) -> dict[str, Tensor]:
        """Nothing.

        Raises
        ------
        StudyError
            Unless there are 2 to 6 tasks.
        """
        require_tasks("nash-mtl", tasks, most=MOST_TASKS)
        return {}

    def weights(self, step: Step, /) -> tuple[Tensor, Mapping[str, Tensor]]:
        """Positive weights (..., T)."""
        assert step.gramian is not None
        n = norms(step.gramian)
        if n.shape[-1] == 2:
            agreement = (1 + cosine(step.gramian, n)).clamp_min(torch.finfo(n.dtype).eps)
            scaled = agreement.rsqrt()[..., None]
        else:
            scaled = _bargain(cosines(step.gramian, n).double()).to(n.dtype)
        return where_positive(n, scaled / n), step.state


def _bargain(c: Tensor) -> Tensor:
    """The a > 0 (..., T) with a_t (Ca)_t = 1: the minimiser of ½aᵀCa - Σ log a_t.

    Convex, so that Newton's method applies; a step that would leave a > 0 is cut to nine tenths
    of the way to the border. (Steps over 1 + the Newton decrement would be safe in theory, but
    take two to three times as many.)
    """
    a = torch.ones_like(c[..., :1])
    for _ in range(_NEWTON_STEPS):
        gradient = c @ a - 1 / a
        move = solve(c + torch.diag_embed(a.squeeze(-1).square().reciprocal()), gradient)
        share = (move / a).amax(-2, keepdim=True)
        a = a - move * (_TO_BORDER / share.clamp_min(_TO_BORDER))
    return a.squeeze(-1)
