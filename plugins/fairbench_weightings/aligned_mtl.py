"""Aligned-MTL: rescales the principal components of the gradients to one length."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import torch

from fairbench.weighting import Needs, Weighting
from fairbench_weightings._gramian import unit_trace

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from fairbench.weighting import Step

__all__ = ["AlignedMTL"]


@dataclass(frozen=True)
class AlignedMTL(Weighting):
    """w = √λ_min·G^{-½}·1 (Senushkin et al. 2023).

    Closed form for two tasks: w = (adj G + √det G·I)1/(√λ_max(√λ_max + √λ_min)); eigenvectors of
    G for more. Where gradients are dependent to rounding, λ_min is the smallest eigenvalue that
    is not zero, and G^{-½} leaves out the others, as in the official code: for two collinear
    ones w = G1/trace G. A zero Gramian has weights 1.
    """

    needs: ClassVar[Needs] = "gramian"
    tasks: ClassVar[tuple[int, int | None]] = (2, None)

    def weights(self, step: Step, /) -> tuple[Tensor, Mapping[str, Tensor]]:
        """Weights (..., T)."""
        assert step.gramian is not None
        g, trace = unit_trace(step.gramian)
        weights = _of_two(g) if g.shape[-1] == 2 else _of_many(g)
        return torch.where(trace[..., None] > 0, weights, 1.0), step.state


def _of_two(g: Tensor) -> Tensor:
    """The closed form, of a trace of 1."""
    squares, inner = g.diagonal(dim1=-2, dim2=-1), g[..., 0, 1, None]
    det = (squares[..., :1] * squares[..., 1:] - inner.square()).clamp_min(0)
    root = det.sqrt()
    largest = (1 + (1 - 4 * det).clamp_min(0).sqrt()) / 2  # eigenvalue
    scale = (largest * (1 + 2 * root)).sqrt()  # √λ_max + √λ_min = √(trace + 2√det)
    full = (squares.flip(-1) - inner + root) / scale
    collinear = det <= 4 * torch.finfo(g.dtype).eps
    return torch.where(collinear, squares + inner, full)


def _of_many(g: Tensor) -> Tensor:
    """By eigenvectors, of a trace of 1; a Gramian that is not finite has weights NaN."""
    finite = g.isfinite().all(-1).all(-1)[..., None]
    values, vectors = torch.linalg.eigh(torch.where(finite[..., None], g, 0.0).double())
    rounding = 4 * g.shape[-1] * torch.finfo(g.dtype).eps  # of eigenvalues of at most 1
    kept = values > rounding
    least = torch.where(kept, values, 1.0).amin(-1, keepdim=True)
    scales = torch.where(kept, (least / values.clamp_min(rounding)).sqrt(), 0.0)
    weights = (vectors @ (scales * vectors.sum(-2))[..., None]).squeeze(-1)
    return torch.where(finite, weights.to(g.dtype), torch.nan)
