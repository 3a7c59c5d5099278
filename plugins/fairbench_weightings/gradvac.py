"""Gradient vaccine: lifts the gradients' cosine to its moving average."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar

import torch
from annotated_types import Ge, Le

from fairbench.weighting import Needs, Weighting
from fairbench_weightings._gramian import cosine, norms, tiny, unit_trace

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
    φ̂ begins at 0, where the rule is PCGrad, and is used at no more than 1 - 1e-6. With more than
    two tasks every pair has a target, and g_i goes through the others in an order drawn at every
    step from the trial's noise.

    Parameters
    ----------
    decay
        β: weight of the newest cosine in the moving average.
    """

    needs: ClassVar[Needs] = "gramian"
    tasks: ClassVar[tuple[int, int | None]] = (2, None)
    noisy: ClassVar[bool] = True

    decay: Annotated[float, Ge(0), Le(1)] = 0.5

    def initial_state(self, tasks: int, /) -> dict[str, Tensor]:
        """``target`` cosine (1,), of more than two tasks (T, T), zero."""
        return {"target": torch.zeros(1) if tasks == 2 else torch.zeros(tasks, tasks)}

    def weights(self, step: Step, /) -> tuple[Tensor, Mapping[str, Tensor]]:
        """Weights (..., T), at least 1."""
        assert step.gramian is not None
        average = step.state["target"]
        n = norms(step.gramian)
        if n.shape[-1] > 2:
            return self._of_many(step, average)
        phi = cosine(step.gramian, n)[..., None]
        lift = _lift(phi, average)
        ratio = torch.where(n > 0, n.flip(-1) / n, 0.0)
        return 1 + lift * ratio, {"target": average + self.decay * (phi - average)}

    def _of_many(self, step: Step, average: Tensor) -> tuple[Tensor, Mapping[str, Tensor]]:
        assert step.gramian is not None
        assert step.noise is not None
        g, _ = unit_trace(step.gramian)
        tasks = g.shape[-1]
        order = step.noise.argsort(-1)  # (..., T)
        eye = torch.eye(tasks, dtype=g.dtype, device=g.device)
        n = norms(g)
        mixed = eye.expand_as(g)  # (..., T, T): coefficients of each g_i as it changes
        target = average
        for at in range(tasks):
            other = eye[order[..., at]]  # (..., T), one at the task whose turn it is
            row = (g @ other[..., None]).squeeze(-1)  # its inner products with all
            length = (n * other).sum(-1, keepdim=True)
            inner = (mixed @ row[..., None]).squeeze(-1)
            own = ((mixed @ g) * mixed).sum(-1).clamp_min(0).sqrt()
            phi = (inner / (own * length).clamp_min(tiny(g))).clamp(-1, 1)
            now = (target * other[..., None, :]).sum(-1)
            share = _lift(phi, now) * torch.where(length > 0, own / length, 0.0)
            share = share * (1 - other)  # no task against itself
            mixed = mixed + share[..., :, None] * other[..., None, :]
            moved = self.decay * (phi - now) * (1 - other)
            target = target + moved[..., :, None] * other[..., None, :]
        return mixed.sum(-2), {"target": target}


def _lift(phi: Tensor, average: Tensor) -> Tensor:
    """What of g_j, in units of n_i/n_j, lifts the cosine φ to its target; 0 where it is there."""
    target = average.clamp(-_LARGEST_TARGET, _LARGEST_TARGET)
    slope = target / (1 - target.square()).sqrt()
    # Negative exactly where φ exceeds its target.
    return (slope * (1 - phi.square()).sqrt() - phi).clamp_min(0)
