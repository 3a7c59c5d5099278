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
    """w = √λ_min·G^{-½}·1 (Senushkin et al. 2023), for two tasks.

    Closed form: w = (adj G + √det G·I)1/(√λ_max(√λ_max + √λ_min)). Where the gradients are
    collinear to rounding, λ_min is the smallest eigenvalue that is not zero, as in the official
    code: then w = G1/trace G. A zero Gramian has weights 1.
    """

    needs: ClassVar[Needs] = "gramian"
    tasks: ClassVar[tuple[int, int | None]] = (2, 2)

    def weights(self, step: Step, /) -> tuple[Tensor, Mapping[str, Tensor]]:
        """Weights (..., 2)."""
        assert step.gramian is not None
        g, trace = unit_trace(step.gramian)
        squares, inner = g.diagonal(dim1=-2, dim2=-1), g[..., 0, 1, None]
        det = (squares[..., :1] * squares[..., 1:] - inner.square()).clamp_min(0)
        root = det.sqrt()
        largest = (1 + (1 - 4 * det).clamp_min(0).sqrt()) / 2  # eigenvalue, of a trace of 1
        scale = (largest * (1 + 2 * root)).sqrt()  # √λ_max + √λ_min = √(trace + 2√det)
        full = (squares.flip(-1) - inner + root) / scale
        collinear = det <= 4 * torch.finfo(g.dtype).eps
        weights = torch.where(collinear, squares + inner, full)
        return torch.where(trace[..., None] > 0, weights, 1.0), step.state
