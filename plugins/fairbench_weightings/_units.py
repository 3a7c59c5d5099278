"""The direction at equal angles to all gradients."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from fairbench_weightings._gramian import cosines
from fairbench_weightings._solve import MOST_TASKS, solve

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["MOST_TASKS", "equal_cosines"]

_RIDGE = 1e-12  # dependent gradients have no such direction; this keeps the answer finite


def equal_cosines(gramian: Tensor, norms: Tensor, /) -> Tensor:
    """V = C⁻¹1 (..., T) of the cosines C: Σ v_t g_t/n_t has the same cosine to every gradient.

    A zero gradient counts as orthogonal to all others.
    """
    c = cosines(gramian, norms).double()
    eye = torch.eye(c.shape[-1], dtype=c.dtype, device=c.device)
    ones = torch.ones_like(c[..., :1])
    return solve(c + _RIDGE * eye, ones).squeeze(-1).to(gramian.dtype)
