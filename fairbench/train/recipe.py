"""What one trial of a network does: its tasks, their losses, a weighting and a model.

Everything here is written for one trial. The engine decides how many trials run as one program.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from torch import Tensor, nn

from fairbench.train.losses import task_losses

if TYPE_CHECKING:
    from fairbench.dataset import Dataset
    from fairbench.fold import Fold
    from fairbench.model import Task
    from fairbench.train.batch import Batch
    from fairbench.weighting import Weighting

__all__ = ["Recipe", "has_own_losses", "has_own_scales"]


class Recipe(ABC):
    """What the engine has to know of a method.

    Attributes
    ----------
    model
        What its model is called in messages.
    """

    model: str

    @abstractmethod
    def tasks(self, dataset: Dataset, /) -> tuple[Task, ...]:
        """Return one task per head. Those with a target column, in order, give the predictions."""

    @abstractmethod
    def weighting(self, dataset: Dataset, /) -> Weighting:
        """Return the rule that makes one update of the losses.

        In training `dataset` holds the training rows alone.
        """

    @abstractmethod
    def build(self, fold: Fold, tasks: Sequence[Task], /) -> nn.Module:
        """Build a freshly initialised model for one trial, drawn from torch's global generator."""

    def losses(
        self,
        tasks: Sequence[Task],
        outputs: Mapping[str, Tensor],
        batch: Batch,
        tradeoff: Tensor,
        /,
    ) -> Tensor | tuple[Tensor, Mapping[str, Tensor]]:
        """Return losses (T,) of one step that the weighting combines; by default one per task.

        May return a second value, signals (T,) by name, that the weighting wants to see. See
        `Batch` for how the same code can serve a stack of trials. A method that only multiplies
        the default losses says so in `loss_scales`, which keeps their closed form.

        A function of its arguments alone, like the model's forward pass: it may be called more
        often than there are steps, or once for many.
        """
        return task_losses(tasks, outputs, batch) * self.loss_scales(tasks, tradeoff)

    def loss_scales(self, tasks: Sequence[Task], tradeoff: Tensor, /) -> Tensor:
        """Return the factor (..., T) of each task's default loss; by default 1.

        `tradeoff` (...) holds trade-off values.
        """
        return tradeoff.new_ones(*tradeoff.shape, len(tasks))

    def rate_factor(self, value: float | None, /) -> float:
        """Return the factor of the learning rate of a trial with this trade-off value.

        Lets a method's trade-off be, or act on, the learning rate; by default 1.
        """
        return 1.0


def has_own_losses(recipe: Recipe, /) -> bool:
    """Return whether its losses are others than the default ones times factors."""
    return type(recipe).losses is not Recipe.losses


def has_own_scales(recipe: Recipe, /) -> bool:
    """Return whether it multiplies the default losses by factors other than 1."""
    return type(recipe).loss_scales is not Recipe.loss_scales
