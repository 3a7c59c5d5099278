"""The paper's network: a fully connected trunk and one linear head per task."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated

from annotated_types import Ge, Le, Len
from torch import Tensor, nn

from fairbench.model import Task

__all__ = ["MLP", "Network"]


@dataclass(frozen=True)
class MLP:
    """Builds a `Network`.

    Parameters
    ----------
    hidden
        Widths of the trunk's layers.
    dropout
        Share of activations dropped after every hidden layer.
    batch_norm
        Whether batch normalisation stands before every activation.
    """

    hidden: Annotated[tuple[Annotated[int, Ge(1)], ...], Len(1)] = (64, 32)
    dropout: Annotated[float, Ge(0), Le(1)] = 0.0
    batch_norm: bool = False

    def build(self, features: int, tasks: Sequence[Task], /) -> nn.Module:
        """A network for rows of `features` numbers."""
        layers: list[nn.Module] = []
        for inputs, outputs in pairwise((features, *self.hidden)):
            # before batch normalisation a bias has no effect and gradients of rounding noise
            layers.append(nn.Linear(inputs, outputs, bias=not self.batch_norm))
            if self.batch_norm:
                layers.append(nn.BatchNorm1d(outputs))
            layers.append(nn.ReLU())
            if self.dropout:
                layers.append(nn.Dropout(self.dropout))
        heads = {task.name: nn.Linear(self.hidden[-1], task.width) for task in tasks}
        return Network(nn.Sequential(*layers), nn.ModuleDict(heads))


class Network(nn.Module):
    """A trunk (batch, d) → (batch, h) and heads (batch, h) → (batch, width) by task name."""

    def __init__(self, trunk: nn.Module, heads: nn.ModuleDict) -> None:
        super().__init__()
        self.trunk = trunk
        self.heads = heads

    def forward(self, features: Tensor) -> dict[str, Tensor]:
        hidden = self.trunk(features)
        return {name: head(hidden) for name, head in self.heads.items()}
