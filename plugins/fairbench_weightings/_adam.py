"""One Adam step on a quantity that a weighting keeps in its own state."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from fairbench_weightings._gramian import tiny

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

__all__ = ["adam", "adam_state"]

_BETA1, _BETA2 = 0.9, 0.999


def adam_state(size: int, /) -> dict[str, Tensor]:
    """Moments (size,) and step count (1,), all zero."""
    return {"mean": torch.zeros(size), "square": torch.zeros(size), "steps": torch.zeros(1)}


def adam(
    gradient: Tensor, state: Mapping[str, Tensor], rate: float, /
) -> tuple[Tensor, dict[str, Tensor]]:
    """Return what to subtract (Kingma and Ba 2015, algorithm 1), and the moments after it.

    The paper's ε is replaced by a floor at the smallest number: the step does not depend on the
    scale of the gradient, however small, and is 0 for gradients that were always 0.
    """
    steps = state["steps"] + 1
    mean = _BETA1 * state["mean"] + (1 - _BETA1) * gradient
    square = _BETA2 * state["square"] + (1 - _BETA2) * gradient.square()
    deviation = (square / (1 - _BETA2**steps)).sqrt().clamp_min(tiny(square))
    step = rate * mean / (1 - _BETA1**steps) / deviation
    return step, {"mean": mean, "square": square, "steps": steps}
