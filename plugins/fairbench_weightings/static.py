"""Static weighting: weights chosen once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import torch

from fairbench.errors import StudyError
from fairbench.weighting import Weighting

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from fairbench.weighting import Step

__all__ = ["Static"]


@dataclass(frozen=True)
class Static(Weighting):
    """w_t as given.

    Parameters
    ----------
    loss_weights
        One weight per task, in the order of the tasks.
    """

    constant: ClassVar[bool] = True

    loss_weights: tuple[float, ...]

    def initial_state(self, tasks: int, /) -> dict[str, Tensor]:
        """The weights.

        Raises
        ------
        StudyError
            Where there are more or fewer weights than tasks.
        """
        if len(self.loss_weights) != tasks:
            raise StudyError(
                f"weighting 'static' has {len(self.loss_weights)} weights for {tasks} tasks",
                hint="give loss_weights one number per task",
            )
        # Carried as state, so that no step copies them to the device.
        return {"weights": torch.tensor(self.loss_weights, dtype=torch.float64)}

    def weights(self, step: Step, /) -> tuple[Tensor, Mapping[str, Tensor]]:
        """The weights, whatever the losses."""
        fixed = step.state["weights"].to(step.losses.dtype)
        return fixed.expand_as(step.losses), step.state
