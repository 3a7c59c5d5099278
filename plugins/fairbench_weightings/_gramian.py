"""Quantities that gradient rules read off the Gramian (..., T, T), without division by zero."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import Tensor

__all__ = [
    "NEARLY_OPPOSED",
    "cosine",
    "cosines",
    "norms",
    "tiny",
    "unit_trace",
    "where_positive",
]


NEARLY_OPPOSED = 1e-4
"""1 + cosine below which two gradients count as opposed to a rule that has no answer there.

What solves the bargaining rules grows without bound as gradients come to cancel, and with it
the weights of the heads, which no gradient opposes: the angle at which it stops growing is 0.8
degrees short of half a turn, and the weights are then 100 times those of orthogonal gradients.
"""


def tiny(of: Tensor, /) -> float:
    """The smallest normal number of the dtype: a floor that changes no result above it."""
    return torch.finfo(of.dtype).tiny


def norms(gramian: Tensor, /) -> Tensor:
    """Gradient norms (..., T)."""
    return gramian.diagonal(dim1=-2, dim2=-1).clamp_min(0).sqrt()


def cosine(gramian: Tensor, norms: Tensor, /) -> Tensor:
    """Cosine (...) of two gradients; 0 where one of them is zero."""
    product = (norms[..., 0] * norms[..., 1]).clamp_min(tiny(norms))
    return (gramian[..., 0, 1] / product).clamp(-1, 1)


def cosines(gramian: Tensor, norms: Tensor, /) -> Tensor:
    """Cosines (..., T, T) of all pairs; a zero gradient is orthogonal to all others."""
    floor = norms.clamp_min(tiny(norms))
    scaled = gramian / floor[..., :, None] / floor[..., None, :]
    eye = torch.eye(norms.shape[-1], dtype=norms.dtype, device=norms.device)
    return torch.where(eye > 0, eye, scaled.clamp(-1, 1))


def unit_trace(gramian: Tensor, /) -> tuple[Tensor, Tensor]:
    """The Gramian divided by its trace, and that trace (...); a zero Gramian stays zero.

    Products of entries neither overflow nor vanish in it, however small the losses.
    """
    trace = gramian.diagonal(dim1=-2, dim2=-1).sum(-1)
    return gramian / trace.clamp_min(tiny(gramian))[..., None, None], trace


def where_positive(norms: Tensor, weights: Tensor, /) -> Tensor:
    """`weights` where the gradient is not zero, else 1.

    A task whose trunk gradient vanishes moves the trunk by nothing whatever its weight, but its
    head takes the gradient of its weighted loss: 1 lets the head go on learning.
    """
    return torch.where(norms > 0, weights, 1.0)
