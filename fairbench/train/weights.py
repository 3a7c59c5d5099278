"""The weights of many trials by name, apart from any memory layout."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

from fairbench.train.stack import Stack

__all__ = ["Weights"]


@dataclass(frozen=True)
class Weights:
    """Parameters and buffers (S, ...) of S trials by name."""

    parameters: Mapping[str, Tensor]
    buffers: Mapping[str, Tensor]

    @classmethod
    def of(cls, stack: Stack, /) -> Weights:
        """Return views of what `stack` holds."""
        return cls(stack.parameters, stack.buffers)

    @classmethod
    def copied(cls, stack: Stack, index: Tensor | None = None, /) -> Weights:
        """Return a copy of what `stack` holds now, of all trials or those of `index`."""

        def copy(tensor: Tensor) -> Tensor:
            return tensor.detach().clone() if index is None else tensor.detach()[index]

        return cls(
            {name: copy(tensor) for name, tensor in stack.parameters.items()},
            {name: copy(tensor) for name, tensor in stack.buffers.items()},
        )

    @property
    def trials(self) -> int:
        """Number of trials S."""
        return next(iter({**self.parameters, **self.buffers}.values())).shape[0]

    def take(self, index: Tensor, /) -> Weights:
        """Return the weights of the trials of `index`."""
        return Weights(
            {name: tensor[index] for name, tensor in self.parameters.items()},
            {name: tensor[index] for name, tensor in self.buffers.items()},
        )

    def put(self, index: Tensor, other: Weights, /) -> None:
        """Overwrite the trials of `index` by those of `other`, in place."""
        for mine, theirs in ((self.parameters, other.parameters), (self.buffers, other.buffers)):
            for name, tensor in mine.items():
                tensor[index] = theirs[name]
