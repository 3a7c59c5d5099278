"""Random loss weighting: fresh random weights at every step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from fairbench.weighting import Weighting

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from fairbench.weighting import Step

__all__ = ["RandomLoss"]


@dataclass(frozen=True)
class RandomLoss(Weighting):
    """w = softmax(z), z standard normal, drawn from the trial's own generator (Lin et al. 2022)."""

    noisy: ClassVar[bool] = True

    def weights(self, step: Step, /) -> tuple[Tensor, Mapping[str, Tensor]]:
        """Positive weights (..., T) of sum 1."""
        assert step.noise is not None
        return step.noise.softmax(-1), step.state
