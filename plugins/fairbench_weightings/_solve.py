"""Exact solvers of small problems by enumeration of active sets, for stacks of Gramians.

With T tasks there are 2^T active sets; all are solved at once, each candidate is made feasible,
and the best is kept. Nothing depends on the data but the numbers, nothing waits for a device,
and a degenerate Gramian has an answer: some optimum is always basic, hence among the candidates.
Where there are many, as with equal gradients, a small ridge chooses the one that shares its
weights most evenly, so that no task stops for having been numbered last.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["MOST_TASKS", "minimum_in_cone", "minimum_on_simplex", "solve"]

MOST_TASKS = 6
"""Beyond this many tasks the enumeration would cost more than the training step."""

_RIDGE = 2e-12
"""Share that is added to each squared gradient: above rounding, and below what could be seen."""

_FLOOR = 1e-100


def solve(matrix: Tensor, right: Tensor, /) -> Tensor:
    """X (..., T, K) with matrix (..., T, T), positive definite, times X equal to `right`.

    Gauss-Jordan elimination, unrolled over T: `torch.linalg.solve` waits for the device to
    report singular matrices.
    """
    size = matrix.shape[-1]
    eye = torch.eye(size, dtype=torch.bool, device=matrix.device)
    rows = torch.cat([matrix, right], dim=-1)
    for k in range(size):
        pivot = rows[..., k : k + 1, :] / rows[..., k : k + 1, k : k + 1]
        rows = torch.where(eye[:, k : k + 1], pivot, rows - rows[..., :, k : k + 1] * pivot)
    return rows[..., size:]


def minimum_on_simplex(gramian: Tensor, linear: Tensor, factor: Tensor, /) -> Tensor:
    """The w on the simplex that minimises ``linear·w + factor·√(wᵀGw)``.

    On a face with Gramian S, let w₀ = S⁻¹1/1ᵀS⁻¹1 be the shortest point of its plane, m its
    length, and p the projection S⁻¹b - w₀·1ᵀS⁻¹b of the linear term b. The minimum of the plane
    is w₀ - p·m/√(factor² - bᵀp), or there is none where the root is not real.

    Parameters
    ----------
    gramian : (..., T, T)
    linear : (..., T)
    factor : (...)
        Not negative.

    Returns
    -------
    (..., T), in the dtype of `gramian`.
    """
    g, b, factor = _ridged(gramian), linear.double()[..., None, :], factor.double()[..., None]
    mask = _subsets(g)[1:]
    right = torch.stack([mask.expand(*b.shape[:-2], *mask.shape), mask * b], dim=-1)
    ones, tilted = solve(_faces(g, mask), right).unbind(-1)
    total = ones.sum(-1, keepdim=True)
    shortest = ones / total
    slope = tilted - shortest * tilted.sum(-1, keepdim=True)
    room = factor.square()[..., None] - (b * slope).sum(-1, keepdim=True)
    length = torch.where(room > 0, (1 / total / room.clamp_min(_FLOOR)).sqrt(), 0.0)
    points = (shortest - length * slope).clamp_min(0)
    points = points / points.sum(-1, keepdim=True)
    values = (points * b).sum(-1) + factor * _square(points, g).clamp_min(0).sqrt()
    return _best(points, values).to(gramian.dtype)


def minimum_in_cone(gramian: Tensor, lower: Tensor, /) -> Tensor:
    """The v ≥ lower that minimises vᵀGv, for K lower bounds at once.

    Parameters
    ----------
    gramian : (..., T, T)
    lower : (..., K, T)

    Returns
    -------
    (..., K, T), in the dtype of `gramian`.
    """
    g, u = _ridged(gramian), lower.double()
    mask = _subsets(g)
    pull = -(u @ g)  # (..., K, T): what the free coordinates have to cancel
    right = mask[:, :, None] * pull.mT[..., None, :, :]  # (..., M, T, K)
    steps = solve(_faces(g, mask), right).mT.clamp_min(0)  # (..., M, K, T)
    points = (u[..., None, :, :] + steps).transpose(-3, -2)  # (..., K, M, T)
    values = _square(points, g[..., None, :, :])
    return _best(points, values).to(gramian.dtype)


def _subsets(like: Tensor) -> Tensor:
    """Membership (2^T, T) of every subset of tasks, the empty one first."""
    tasks = like.shape[-1]
    number = torch.arange(2**tasks, device=like.device)[:, None]
    bit = torch.arange(tasks, device=like.device)
    return ((number >> bit) & 1).to(like.dtype)


def _ridged(gramian: Tensor) -> Tensor:
    """The Gramian in double precision, its diagonal raised by no less than it was rounded."""
    share = max(_RIDGE, 4 * torch.finfo(gramian.dtype).eps)
    g = gramian.double()
    return g + torch.diag_embed(g.diagonal(dim1=-2, dim2=-1) * share + _FLOOR)


def _faces(gramian: Tensor, mask: Tensor) -> Tensor:
    """The Gramian restricted to each subset (..., M, T, T), the identity elsewhere."""
    inside = gramian[..., None, :, :] * (mask[:, :, None] * mask[:, None, :])
    return inside + torch.diag_embed(1 - mask)


def _square(points: Tensor, gramian: Tensor) -> Tensor:
    """PᵀGp for points (..., M, T)."""
    return ((points @ gramian) * points).sum(-1)


def _best(points: Tensor, values: Tensor) -> Tensor:
    """Return the point (..., T), of M points (..., M, T), that has the least value (..., M)."""
    index = values.argmin(-1)[..., None, None].expand(*values.shape[:-1], 1, points.shape[-1])
    return points.gather(-2, index).squeeze(-2)
