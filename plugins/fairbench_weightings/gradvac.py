"""Gradient vaccine: lifts the gradients' cosine to its moving average."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar

import torch
from annotated_types import Ge, Le

from fairbench.weighting import Needs, Weighting
from fairbench_weightings._gramian import cosine, norms

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from fairbench.weighting import Step

__all__ = ["GradientVaccine"]

_LARGEST_TARGET = 1 - 1e-6  # a target cosine of 1 would ask for infinite weights


@dataclass(frozen=True)
class GradientVaccine(Weighting):
    """Add to g_i what makes its cosine φ with g_j the target φ̂, wherever φ < φ̂.

    g_i += g_j·n_i(φ̂√(1-φ²) - φ√(1-φ̂²))/(n_j√(1-φ̂²)), then φ̂ += β(φ - φ̂) (Wang et al. 2021).
    φ̂ begins at 0, where the rule is PCGrad, and is used at no more than 1 - 1e-6.

    Parameters
    ----------
    decay
        β: weight of the newest cosine in the moving average.
    """

    needs: ClassVar[Needs] = "gramian"
    tasks: ClassVar[tuple[int, int | None]] = (2, 2)

    decay: Annotated[float, Ge(0), Le(1)] = 0.5

    def initial_state(self, tasks: int, /) -> dict[str, Tensor]:
        """``target`` cosine (1,), zero."""
        return {"target": torch.zeros(1)}

    def weights(self, step: Step, /) -> tuple[Tensor, Mapping[str, Tensor]]:
        """Weights (..., 2), at least 1."""
        assert step.gramian is not None
        average = step.state["target"]
        n = norms(step.gramian)
        phi = cosine(step.gramian, n)[..., None]
        target = average.clamp(-_LARGEST_TARGET, _LARGEST_TARGET)
        slope = target / (1 - target.square()).sqrt()
        # Negative exactly where φ exceeds its target.
        lift = (slope * (1 - phi.square()).sqrt() - phi).clamp_min(0)
        ratio = torch.where(n > 0, n.flip(-1) / n, 0.0)
        return 1 + lift * ratio, {"target": average + self.decay * (phi - average)}
