"""Projection on the simplex, without sorting, so that it serves stacks and the compiled kernel."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["project"]


def project(points: Tensor, /) -> Tensor:
    """The nearest w ≥ 0 with Σw = 1 to each of `points` (..., T).

    w = max(v - θ, 0), where θ is the largest of (Σ_{j: v_j ≥ v_k} v_j - 1)/#{j: v_j ≥ v_k} over
    k: what Held, Wolfe and Crowder (1974) find by sorting.
    """
    # Shifts change nothing, and large numbers would lose the digits of small differences.
    v = points - points.amax(-1, keepdim=True)
    above = v[..., None, :] >= v[..., :, None]
    total = torch.where(above, v[..., None, :], 0.0).sum(-1)
    count = torch.where(above, torch.ones_like(v)[..., None, :], 0.0).sum(-1)
    threshold = ((total - 1) / count).amax(-1, keepdim=True)
    return (v - threshold).clamp_min(0)
