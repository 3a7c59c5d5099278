"""The network of a stack during training: forward, and backward in two halves.

Outputs of all heads lie side by side in one tensor (S, batch, widths), in the order of the
tasks. Backward stops at the trunk's representation, where a weighting may step in.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from fairbench.train.chain import Chain, Layer

if TYPE_CHECKING:
    from fairbench.train.program import Forward, Tensors

__all__ = ["ByAutograd", "ByHand", "Net"]

Slots = Mapping[str, Tensor]
"""Where gradients are written, by parameter name."""


class Net(ABC):
    """A forward pass that remembers what its backward pass needs."""

    @abstractmethod
    def forward(self, tensors: Tensors, x: Tensor, /) -> Tensor:
        """Outputs (S, batch, widths) of all heads in training mode."""

    @abstractmethod
    def through_heads(self, at_outputs: Tensor, into: Slots | None, /) -> Tensor:
        """Gradient at the representation (S, batch, h), for a gradient at the outputs.

        Writes the gradients of the heads' parameters where `into` is given.
        """

    @abstractmethod
    def through_trunk(self, at_hidden: Tensor, into: Slots, /) -> None:
        """Write the gradients of the trunk's parameters; may overwrite `at_hidden`."""


class ByHand(Net):
    """A trunk that is a chain of known layers, and linear heads."""

    def __init__(self, trunk: Sequence[Layer], heads: Mapping[str, int], /) -> None:
        self._trunk = Chain(trunk)
        self._names, self._widths = list(heads), list(heads.values())
        self._tensors: Tensors = {}
        self._hidden = self._weight = torch.empty(0)
        self._lanes = 0

    def forward(self, tensors: Tensors, x: Tensor, /) -> Tensor:
        if x.shape[0] != self._lanes:
            self._trunk.forget()
            self._lanes = x.shape[0]
        with torch.no_grad():
            self._tensors = tensors
            self._hidden = self._trunk.forward(tensors, x)
            self._weight = torch.cat([tensors[f"heads.{n}.weight"] for n in self._names], dim=1)
            bias = torch.cat([tensors[f"heads.{n}.bias"] for n in self._names], dim=1)
            return torch.baddbmm(bias.unsqueeze(1), self._hidden, self._weight.mT)

    def through_heads(self, at_outputs: Tensor, into: Slots | None, /) -> Tensor:
        if into is not None:
            weights = torch.bmm(at_outputs.mT, self._hidden)
            biases = at_outputs.sum(1)
            start = 0
            for name, width in zip(self._names, self._widths, strict=True):
                into[f"heads.{name}.weight"].copy_(weights[:, start : start + width])
                into[f"heads.{name}.bias"].copy_(biases[:, start : start + width])
                start += width
        return torch.bmm(at_outputs, self._weight)

    def through_trunk(self, at_hidden: Tensor, into: Slots, /) -> None:
        with torch.no_grad():
            self._trunk.backward(self._tensors, self._hidden, at_hidden, into)


class ByAutograd(Net):
    """Any trunk and heads."""

    def __init__(self, trunk: Forward, heads: Mapping[str, Forward], /) -> None:
        self._trunk, self._heads = trunk, heads
        self._tensors: Tensors = {}
        self._hidden = self._entry = self._outputs = torch.empty(0)

    def forward(self, tensors: Tensors, x: Tensor, /) -> Tensor:
        self._tensors = tensors
        self._hidden = self._trunk(tensors, x, True)
        self._entry = self._hidden.detach().requires_grad_()
        self._outputs = torch.cat(
            [head(tensors, self._entry, True) for head in self._heads.values()], dim=-1
        )
        return self._outputs.detach()

    def through_heads(self, at_outputs: Tensor, into: Slots | None, /) -> Tensor:
        names = [name for name in into or () if name.startswith("heads.")]
        sources = [self._entry, *(self._tensors[name] for name in names)]
        at_hidden, *found = _pulled(self._outputs, sources, at_outputs)
        for name, gradient in zip(names, found, strict=True):
            _put(into or {}, name, gradient)
        return torch.zeros_like(self._entry) if at_hidden is None else at_hidden

    def through_trunk(self, at_hidden: Tensor, into: Slots, /) -> None:
        names = [name for name in into if name.startswith("trunk.")]
        found = _pulled(self._hidden, [self._tensors[name] for name in names], at_hidden)
        for name, gradient in zip(names, found, strict=True):
            _put(into, name, gradient)


def _pulled(output: Tensor, sources: Sequence[Tensor], slope: Tensor) -> Sequence[Tensor | None]:
    if not output.requires_grad or not sources:
        return [None] * len(sources)
    return torch.autograd.grad(output, sources, slope, retain_graph=True, allow_unused=True)


def _put(into: Slots, name: str, gradient: Tensor | None) -> None:
    if gradient is None:
        into[name].zero_()
    else:
        into[name].copy_(gradient)
