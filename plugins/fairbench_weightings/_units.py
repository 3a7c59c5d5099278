"""The direction at equal angles to all gradients."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from fairbench_weightings._solve import MOST_TASKS, solve

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["MOST_TASKS", "equal_cosines"]

_CUTOFF = 1e-14  # square of the eigenvalue of C below which a direction counts as none


def equal_cosines(c: Tensor, /) -> Tensor:
    """Coefficients v = C⁺1 (..., T): Σ v_t g_t/n_t is at equal angles to every g_t.

    Dependent gradients may have no such direction; then v is that of least squares. Computed as
    (C² + ε)⁻¹C1, which is the pseudo-inverse up to ε, for cosines C (..., T, T) in float64.
    """
    eye = torch.eye(c.shape[-1], dtype=c.dtype, device=c.device)
    return solve(c @ c + _CUTOFF * eye, c.sum(-1, keepdim=True)).squeeze(-1)
