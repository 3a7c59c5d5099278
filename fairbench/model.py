"""Models: an ordinary `torch.nn.Module` with a trunk and heads, written for one trial."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor, nn

__all__ = ["Model", "ModelFactory", "Task", "TaskKind"]

TaskKind = Literal["regression", "binary", "categorical"]


@dataclass(frozen=True, slots=True)
class Task:
    """One head: what it predicts and how.

    Parameters
    ----------
    name
        Name of the head, also its key in the model's output.
    kind
        Decides the default loss: mean squared error on the standardised column (regression),
        cross-entropy on logits (binary, categorical).
    column
        ``("target", i)`` for column i of the targets, ``("protected", i)`` for attribute i.
    width
        Outputs of the head: 1, or the number of classes of a categorical task.
    scaled
        Whether a regression column is standardised on training rows (targets always are).
    """

    name: str
    kind: TaskKind
    column: tuple[Literal["target", "protected"], int]
    width: int = 1
    scaled: bool = True


class Model(Protocol):
    """The parts of a module that the engine and the gradient weightings rely on.

    A plain `nn.Module` with a submodule `trunk`, shared by all tasks, and an `nn.ModuleDict`
    `heads` keyed by task name. ``trunk`` maps features (batch, d) to a representation
    (batch, h); each head maps that to (batch, width): logits for binary and categorical tasks.
    """

    trunk: nn.Module
    heads: nn.ModuleDict

    def __call__(self, features: Tensor, /) -> dict[str, Tensor]: ...


class ModelFactory(Protocol):
    """What a model plugin's target is: options as keywords, sizes at the call."""

    def build(self, features: int, tasks: Sequence[Task], /) -> nn.Module:
        """A freshly initialised module with `trunk` and `heads`, drawn from torch's generator."""
        ...
