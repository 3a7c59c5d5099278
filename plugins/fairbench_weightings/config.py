"""ConFIG: the conflict-free direction at equal cosine to all gradients."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import torch

from fairbench.weighting import Needs, Weighting
from fairbench_weightings._gramian import cosines, norms, where_positive
from fairbench_weightings._units import MOST_TASKS, equal_cosines

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from fairbench.weighting import Step

__all__ = ["ConFIG"]

_NONE = 1e-6  # vᵀCv below this: the gradients cancel, and have no common direction


@dataclass(frozen=True)
class ConFIG(Weighting):
    """d = (Σ g_t·u) u, u the unit vector along U⁺1, U the unit gradients (Liu et al. 2024).

    u lies in the span of the gradients, so that d is a weighting: for two tasks
    w_t = (n₁ + n₂)/(2n_t), for more w_t = v_t/n_t · Σ_s n_s(Cv)_s/vᵀCv with v = C⁺1 and C the
    cosines. Zero gradients are left out of U and have weight 1; where the others cancel, d = 0.
    Of gradients that cancel, the part that does not move d goes on training their heads: to v
    is added what C⁺ leaves of 1.
    """

    needs: ClassVar[Needs] = "gramian"
    tasks: ClassVar[tuple[int, int | None]] = (2, MOST_TASKS)

    def weights(self, step: Step, /) -> tuple[Tensor, Mapping[str, Tensor]]:
        """Weights (..., T)."""
        assert step.gramian is not None
        n = norms(step.gramian)
        present = (n > 0).to(n.dtype)
        if n.shape[-1] == 2:
            share = n.sum(-1, keepdim=True) / present.sum(-1, keepdim=True)
            return where_positive(n, share / n), step.state
        c = cosines(step.gramian, n).double()
        v, cancelling = (part * present for part in equal_cosines(c))
        projected = (c @ v[..., None]).squeeze(-1)
        square = (v * projected).sum(-1, keepdim=True)  # at least 1 where all cosines are equal
        along = (n * projected).sum(-1, keepdim=True) / square
        mean = n.sum(-1, keepdim=True) / present.sum(-1, keepdim=True)
        length = torch.where(square > _NONE, along, mean)
        v = torch.where(square > _NONE, v + cancelling, cancelling)
        return where_positive(n, (v / n * length).to(n.dtype)), step.state
