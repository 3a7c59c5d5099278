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

_NEWTON_STEPS = 20  # solve 20,000 random problems each of 3, 4 and 6 tasks to 1e-8


@dataclass(frozen=True)
class NashMTL(Weighting):
    """w_t (Gw)_t = 1, w > 0 (Navon et al. 2022), solved at every step.

    Closed form for two tasks, w_t = 1/(n_t√(1 + c)); damped Newton steps for more. The update
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

    That function is self-concordant, so that Newton steps over 1 + λ, λ the Newton decrement,
    stay positive and converge from anywhere.
    """
    a = torch.ones_like(c[..., :1])
    for _ in range(_NEWTON_STEPS):
        gradient = c @ a - 1 / a
        move = solve(c + torch.diag_embed(a.squeeze(-1).square().reciprocal()), gradient)
        decrement = (gradient * move).sum(-2, keepdim=True).clamp_min(0).sqrt()
        a = a - move / (1 + decrement)
    return a.squeeze(-1)
