"""Network methods: a recipe for one trial that is benchmarked, many trials at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from fairbench.errors import StudyError
from fairbench.method import Method, Trained, Use, Work
from fairbench.train.chunk import train_chunk
from fairbench.train.reading import has_batch_norm
from fairbench.train.recipe import Recipe, has_own_losses

if TYPE_CHECKING:
    from fairbench.fold import Fold
    from fairbench.model import Task
    from fairbench.training import Training

__all__ = ["NetworkMethod"]


@dataclass(frozen=True)
class NetworkMethod(Recipe, Method):
    """A network trained by gradient steps. The engine stacks many trials of it.

    Subclasses say what one trial does; none of them handles several trials.

    Parameters
    ----------
    model
        Name of a model plugin.
    architecture
        Options of that model.
    """

    model: str = "mlp"
    architecture: dict[str, Any] = field(default_factory=dict)

    def uses(self) -> Sequence[Use]:
        """Return the model; a subclass that builds a weighting by its name adds that."""
        return (Use("model", self.model, self.architecture),)

    def build(self, fold: Fold, tasks: Sequence[Task], /) -> nn.Module:
        """Build a freshly initialised model for one trial, drawn from torch's global generator."""
        from fairbench.plugins import load

        factory: Any = load().build(Use("model", self.model, self.architecture))
        module = factory.build(fold.dataset.features.shape[1], tasks)
        assert isinstance(module, nn.Module)
        return module

    def check(self, fold: Fold, training: Training, /) -> None:
        tasks = self.tasks(fold.dataset)
        if not has_own_losses(self):
            rule = self.weighting(fold.dataset)
            rule.check_tasks(len(tasks))
            rule.initial_state(len(tasks))
        if min(training.batch_size, fold.split.train.size) > 1:
            return
        with torch.random.fork_rng(devices=[]):
            module = self.build(fold, tasks)
        if has_batch_norm(module):
            raise StudyError(
                f"model {self.model!r} has batch normalisation, which a batch of one row has no "
                "variance for",
                where="training.batch_size = 1",
                hint="take a batch size of at least 2, or a model without batch normalisation",
            )

    def train(self, work: Work, /) -> Trained:
        fold = replace(work.fold, scale_targets=work.training.scale_targets)
        work = replace(work, fold=fold)
        with torch.random.fork_rng(devices=[]):
            return train_chunk(self, work)
