"""The direction at equal angles to all gradients."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from fairbench_weightings._solve import MOST_TASKS, solve

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["MOST_TASKS", "equal_cosines"]

_CUTOFF = 1e-10  # square of the eigenvalue of C below which a direction counts as none
_ROUNDS = 3


def equal_cosines(c: Tensor, /) -> tuple[Tensor, Tensor]:
    """Coefficients v = C⁺1 (..., T): Σ v_t g_t/n_t is at equal angles to every g_t.

    Dependent gradients may have no such direction; then v is that of least squares, and the
    second value, 1 - Cv (..., T), is not zero: coefficients of unit gradients that cancel.
    Computed as (C² + ε)⁻¹C1, refined by what is left, for cosines C (..., T, T) in float64.
    """
    eye = torch.eye(c.shape[-1], dtype=c.dtype, device=c.device)
    normal = c @ c + _CUTOFF * eye
    rest = torch.ones_like(c[..., :1])
    found = torch.zeros_like(rest)
    for _ in range(_ROUNDS):
        found = found + solve(normal, c @ rest)
        rest = 1 - c @ found
    return found.squeeze(-1), rest.squeeze(-1)
