"""Forward and backward passes of a plain chain of layers, by hand.

A chain of linear layers, common activations and dropout needs no autograd: every product is
written where it belongs (a weight's gradient into the flat gradient buffer), activations and
their derivatives in place, and no memory is asked for after the first step.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, fx, nn
from torch.nn import functional as F  # noqa: N812  (torch's own habit)

from fairbench.train.dropout import MaskedDropout
from fairbench.train.program import traced
from fairbench.train.stack import Block, Stack

__all__ = ["Chain", "Layer", "Rows", "blocks_of", "chain_of"]

REGISTER = 16
"""Numbers of single precision in a vector register of the widest common kind."""

Rows = list[Tensor]
"""For each parameter the gradients (T, S, ...) of all tasks."""

Kind = Literal["linear", "relu", "tanh", "sigmoid", "mask"]

_MODULES: Mapping[type[nn.Module], Kind] = {
    nn.Linear: "linear",
    nn.ReLU: "relu",
    nn.Tanh: "tanh",
    nn.Sigmoid: "sigmoid",
    MaskedDropout: "mask",
}
_FUNCTIONS: Mapping[object, Kind] = {
    torch.relu: "relu",
    F.relu: "relu",
    torch.tanh: "tanh",
    torch.sigmoid: "sigmoid",
    "relu": "relu",
    "tanh": "tanh",
    "sigmoid": "sigmoid",
}


@dataclass(frozen=True, slots=True)
class Layer:
    """One step of a chain; `name` finds the tensors of a linear layer or mask."""

    kind: Kind
    name: str = ""
    bias: bool = False


def chain_of(module: nn.Module, prefix: str, /) -> tuple[Layer, ...] | None:
    """The layers of `module` in order, or None where it is no chain of known ones."""
    if type(module) is nn.Linear:
        return (Layer("linear", prefix.removesuffix("."), module.bias is not None),)
    graph = traced(module)
    if graph is None:
        return None
    before: fx.Node | None = None
    layers = []
    for node in graph.nodes:
        if node.op != "placeholder" and (node.args != (before,) or node.kwargs):
            return None
        if node.op not in ("placeholder", "output"):
            layer = _layer(node, module, prefix)
            if layer is None:
                return None
            layers.append(layer)
        before = node
    return tuple(layers)


def _layer(node: fx.Node, module: nn.Module, prefix: str) -> Layer | None:
    if node.op == "call_module":
        part = module.get_submodule(str(node.target))
        kind = _MODULES.get(type(part))
        bias = kind == "linear" and part.bias is not None
        return None if kind is None else Layer(kind, f"{prefix}{node.target}", bias)
    kind = _FUNCTIONS.get(node.target)
    return None if kind is None else Layer(kind)


def blocks_of(layers: Sequence[Layer], shapes: Mapping[str, Sequence[int]], /) -> list[Block]:
    """The weights that are better stored as (S, in, out), given their shapes (out, in) by name.

    The product that makes a weight's gradient is fastest where its last dimension fills whole
    vector registers; the number of features often does not, while the layer's width does.
    """
    names = [f"{layer.name}.weight" for layer in layers if layer.kind == "linear"]
    uneven = [n for n in names if shapes[n][-1] % REGISTER and not shapes[n][-2] % REGISTER]
    return [Block(name, (name,), transposed=True) for name in uneven]


class Chain:
    """A chain of layers over the trials of one stack, for batches of one size.

    Parameters
    ----------
    stack
        Where parameters lie, and where their gradients go.
    rows
        Rows of a batch.
    """

    def __init__(self, layers: Sequence[Layer], stack: Stack, rows: int) -> None:
        self._steps: list[_Step] = []
        for layer in layers:
            if layer.kind == "linear":
                self._steps.append(_Linear(layer, stack, rows, first=not self._steps))
            else:
                fresh = bool(self._steps) and isinstance(self._steps[-1], _Linear)
                self._steps.append(_STEPS[layer.kind](layer.name, fresh))
        self._linear = [step for step in self._steps if isinstance(step, _Linear)]

    def forward(self, x: Tensor, masks: Mapping[str, Tensor], /) -> Tensor:
        """Outputs (S, batch, width) for features (S, batch, d), valid until the next call."""
        for step in self._steps:
            x = step.forward(x, masks)
        return x

    def backward(self, slope: Tensor, /) -> None:
        """Write the gradients of the chain's parameters into the stack.

        `slope` (S, batch, width) is the gradient at what `forward` returned; it is overwritten.
        """
        for step in reversed(self._steps):
            if isinstance(step, _Linear):
                step.write(slope)
            slope = step.back(slope)

    def rows(self, slopes: Sequence[Tensor], /) -> Rows:
        """The gradients of each of T tasks in the chain's parameters, valid until the next call.

        `slopes` (S, batch, width) are the tasks' gradients at what `forward` returned; they are
        overwritten.
        """
        found: Rows = []
        slopes = [*slopes]
        for step in reversed(self._steps):
            if isinstance(step, _Linear):
                found = [*step.rows(slopes), *found]
            slopes = [step.back(slope, task) for task, slope in enumerate(slopes)]
        return found

    @property
    def slots(self) -> list[Tensor]:
        """Where the stack keeps the gradients of the chain's parameters, in the order of rows."""
        return [slot for step in self._linear for slot in step.slots]


class _Step:
    """One layer with the memory of its last forward pass."""

    def forward(self, x: Tensor, masks: Mapping[str, Tensor], /) -> Tensor:
        raise NotImplementedError

    def back(self, slope: Tensor, task: int = 0, /) -> Tensor:
        """The gradient at the layer's input, from that at its output, which is overwritten.

        Tasks have memory of their own.
        """
        raise NotImplementedError


class _Linear(_Step):
    def __init__(self, layer: Layer, stack: Stack, rows: int, first: bool) -> None:
        self._first = first
        names = [f"{layer.name}.weight", *([f"{layer.name}.bias"] if layer.bias else [])]
        weight = stack.blocks[names[0]]
        self._transposed = any(b.name == names[0] and b.transposed for b in stack.layout)
        self._down = weight if self._transposed else weight.mT  # (S, in, out)
        self._up = self._down.mT
        self._bias = stack.blocks[names[1]].unsqueeze(1) if layer.bias else None
        self.slots = [stack.block_slots[name] for name in names]
        lanes, self._width, out = self._down.shape
        self._out = weight.new_empty(lanes, rows, out)
        self._x = self._out
        self._slopes: list[Tensor] = []
        self._rows: Rows = []
        self._by_task: list[tuple[Tensor, ...]] = []

    def forward(self, x: Tensor, masks: Mapping[str, Tensor], /) -> Tensor:
        self._x = x
        if self._bias is None:
            return torch.bmm(x, self._down, out=self._out)
        return torch.baddbmm(self._bias, x, self._down, out=self._out)

    def write(self, slope: Tensor, /) -> None:
        """The gradients of weight and bias into their slots."""
        self._write(slope, self.slots)

    def rows(self, slopes: Sequence[Tensor], /) -> Rows:
        """Those of each task, for weight and bias."""
        if not self._rows:
            self._rows = [slot.new_empty(len(slopes), *slot.shape) for slot in self.slots]
            self._by_task = list(zip(*(each.unbind() for each in self._rows), strict=True))
        for slope, into in zip(slopes, self._by_task, strict=True):
            self._write(slope, into)
        return self._rows

    def _write(self, slope: Tensor, into: Sequence[Tensor]) -> None:
        if self._transposed:
            torch.bmm(self._x.mT, slope, out=into[0])
        else:
            torch.bmm(slope.mT, self._x, out=into[0])
        if self._bias is not None:
            torch.sum(slope, 1, out=into[1])

    def back(self, slope: Tensor, task: int = 0, /) -> Tensor:
        if self._first:
            return slope  # nothing below has parameters
        while len(self._slopes) <= task:
            self._slopes.append(slope.new_empty(*slope.shape[:-1], self._width))
        return torch.bmm(slope, self._up, out=self._slopes[task])


class _Activation(_Step):
    """An element-wise layer; over a `fresh` input, which nobody else needs, it works in place."""

    def __init__(self, name: str, fresh: bool) -> None:
        self._name, self._fresh = name, fresh
        self._out = torch.empty(0)


class _Relu(_Activation):
    def forward(self, x: Tensor, masks: Mapping[str, Tensor], /) -> Tensor:
        self._out = x.clamp_min_(0) if self._fresh else torch.relu(x)
        return self._out

    def back(self, slope: Tensor, task: int = 0, /) -> Tensor:
        threshold_backward = torch.ops.aten.threshold_backward.grad_input
        below: Tensor = threshold_backward(slope, self._out, 0, grad_input=slope)
        return below


class _Tanh(_Activation):
    def forward(self, x: Tensor, masks: Mapping[str, Tensor], /) -> Tensor:
        self._out = x.tanh_() if self._fresh else torch.tanh(x)
        return self._out

    def back(self, slope: Tensor, task: int = 0, /) -> Tensor:
        return slope.addcmul_(slope, self._out.square(), value=-1)


class _Sigmoid(_Activation):
    def forward(self, x: Tensor, masks: Mapping[str, Tensor], /) -> Tensor:
        self._out = x.sigmoid_() if self._fresh else torch.sigmoid(x)
        return self._out

    def back(self, slope: Tensor, task: int = 0, /) -> Tensor:
        return slope.mul_(self._out * (1 - self._out))


class _Mask(_Activation):
    """Dropout: `_out` is the mask."""

    _space: Tensor | None = None

    def forward(self, x: Tensor, masks: Mapping[str, Tensor], /) -> Tensor:
        self._out = masks[f"{self._name}.mask"]
        if self._space is None:
            self._space = torch.empty_like(self._out)
        return torch.mul(x, self._out, out=self._space)

    def back(self, slope: Tensor, task: int = 0, /) -> Tensor:
        return slope.mul_(self._out)


_STEPS: Mapping[Kind, type[_Activation]] = {
    "relu": _Relu,
    "tanh": _Tanh,
    "sigmoid": _Sigmoid,
    "mask": _Mask,
}
