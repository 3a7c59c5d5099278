"""Network methods: a model, its tasks, their losses and a weighting, written for one trial."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Tensor, nn

from fairbench.errors import StudyError
from fairbench.method import Method, Trained, Use, Work
from fairbench.model import Task
from fairbench.train.losses import task_losses

if TYPE_CHECKING:
    from fairbench.dataset import Dataset
    from fairbench.fold import Fold
    from fairbench.train.batch import Batch
    from fairbench.training import Training
    from fairbench.weighting import Weighting

__all__ = ["NetworkMethod", "protected_task", "target_tasks"]


def target_tasks(dataset: Dataset, /) -> tuple[Task, ...]:
    """A regression task for every target: ``y`` for the main one, then ``y1`` and so on."""
    count = dataset.targets.shape[1]
    return tuple(Task(f"y{i or ''}", "regression", ("target", i)) for i in range(count))


def protected_task(
    dataset: Dataset, /, loss: Literal["auto", "bce", "mse"] = "auto", *, scaled: bool = True
) -> Task:
    """The task ``z`` of predicting the first protected attribute.

    `loss` ``auto`` takes cross-entropy for binary and categorical attributes and squared error
    for continuous ones; ``mse`` takes squared error on 0/1 values too; `scaled` says whether a
    continuous attribute is standardised on training rows.

    Raises
    ------
    StudyError
        For ``mse`` of a categorical attribute, whose numbers are names, and for ``bce`` of one
        that is not binary.
    """
    attribute = dataset.protected[0]
    match attribute.kind, loss:
        case ("categorical", "mse") | ("categorical" | "continuous", "bce"):
            raise StudyError(
                f"loss {loss!r} does not fit {attribute.name!r}, which is {attribute.kind}",
                where="the loss of the protected attribute (z_loss)",
                hint="take 'auto', or an attribute that it fits: 'bce' is for binary ones, "
                "'mse' for binary and continuous ones",
            )
        case "binary", "mse":
            return Task("z", "regression", ("protected", 0), scaled=False)
        case "binary", _:
            return Task("z", "binary", ("protected", 0))
        case "categorical", _:
            return Task("z", "categorical", ("protected", 0), len(attribute.labels))
        case _:
            return Task("z", "regression", ("protected", 0), scaled=scaled)


def normalises_batches(module: nn.Module, /) -> bool:
    """Whether a batch of one row cannot be trained on."""
    return any(isinstance(m, nn.modules.batchnorm._BatchNorm) for m in module.modules())


@dataclass(frozen=True)
class NetworkMethod(Method):
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
        """The model; a subclass that builds a weighting by its name adds that."""
        return (Use("model", self.model, self.architecture),)

    @abstractmethod
    def tasks(self, dataset: Dataset, /) -> tuple[Task, ...]:
        """One task per head. Those with a target column, in order, give the predictions."""

    @abstractmethod
    def weighting(self, dataset: Dataset, /) -> Weighting:
        """The rule that makes one update of the losses.

        In training `dataset` holds the training rows alone.
        """

    def losses(
        self,
        tasks: Sequence[Task],
        outputs: Mapping[str, Tensor],
        batch: Batch,
        tradeoff: Tensor,
        /,
    ) -> Tensor | tuple[Tensor, Mapping[str, Tensor]]:
        """Losses (T,) of one step that the weighting combines; by default one per task.

        May return a second value, signals (T,) by name, that the weighting wants to see. See
        `Batch` for how the same code can serve a stack of trials. A method that only multiplies
        the default losses says so in `loss_scales`, which keeps their closed form.

        A function of its arguments alone, like the model's forward pass: it may be called more
        often than there are steps, or once for many.
        """
        return task_losses(tasks, outputs, batch) * self.loss_scales(tasks, tradeoff)

    def loss_scales(self, tasks: Sequence[Task], tradeoff: Tensor, /) -> Tensor:
        """What the default loss of each task (..., T) is multiplied by; by default 1.

        `tradeoff` (...) holds trade-off values.
        """
        return tradeoff.new_ones(*tradeoff.shape, len(tasks))

    def rate_factor(self, value: float | None, /) -> float:
        """What the learning rate of a trial with this trade-off value is multiplied by.

        Lets a method's trade-off be, or act on, the learning rate; by default 1.
        """
        return 1.0

    def build(self, fold: Fold, tasks: Sequence[Task], /) -> nn.Module:
        """A freshly initialised model for one trial, drawn from torch's global generator."""
        from fairbench.plugins import load

        factory: Any = load().build(Use("model", self.model, self.architecture))
        module = factory.build(fold.dataset.features.shape[1], tasks)
        assert isinstance(module, nn.Module)
        return module

    def check(self, fold: Fold, training: Training, /) -> None:
        tasks = self.tasks(fold.dataset)
        if type(self).losses is NetworkMethod.losses:
            rule = self.weighting(fold.dataset)
            rule.check_tasks(len(tasks))
            rule.initial_state(len(tasks))
        if min(training.batch_size, fold.split.train.size) > 1:
            return
        with torch.random.fork_rng(devices=[]):
            module = self.build(fold, tasks)
        if normalises_batches(module):
            raise StudyError(
                f"model {self.model!r} has batch normalisation, which a batch of one row has no "
                "variance for",
                where="training.batch_size = 1",
                hint="take a batch size of at least 2, or a model without batch normalisation",
            )

    def train(self, work: Work, /) -> Trained:
        from fairbench.train.chunk import train_chunk

        fold = replace(work.fold, scale_targets=work.training.scale_targets)
        work = replace(work, fold=fold)
        with torch.random.fork_rng(devices=[]):
            return train_chunk(self, work)
