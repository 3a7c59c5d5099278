"""Forward and backward passes of a plain chain of layers, by hand.

A chain of linear layers, common activations, batch normalisation and dropout needs no autograd:
every product is written where it belongs (a weight's gradient into the flat gradient buffer),
activations and their derivatives in place, and no memory is asked for after the first step.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, fx, nn
from torch.nn import functional as F  # noqa: N812  (torch's own habit)

from fairbench.train.by_torch.forward import traced
from fairbench.train.by_torch.layers import Kind, Layer, Step, step_of
from fairbench.train.dropout import MaskedDropout
from fairbench.train.stack import Block, Stack

__all__ = ["Chain", "Layer", "TaskGradients", "blocks_of", "chain_of"]

REGISTER = 16
"""Numbers of single precision in a vector register of the widest common kind."""

TaskGradients = list[Tensor]
"""For each parameter the gradients (T, S, ...) of all tasks."""

_ACTIVATIONS: Mapping[type[nn.Module], Kind] = {
    nn.ReLU: "relu",
    nn.Tanh: "tanh",
    nn.Sigmoid: "sigmoid",
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


def chain_of(module: nn.Module, prefix: str, /) -> tuple[Layer, ...] | None:
    """The layers of `module` in order, or None where it is no chain of known ones."""
    if type(module) is nn.Linear:
        return (Layer("linear", prefix.removesuffix("."), bias=module.bias is not None),)
    graph = traced(module)
    if graph is None:
        return None
    before: fx.Node | None = None
    layers: list[Layer] = []
    for node in graph.nodes:
        plain = node.kwargs in ({}, {"inplace": False})  # the latter of F.relu(x)
        if node.op != "placeholder" and (node.args != (before,) or not plain):
            return None
        if node.op not in ("placeholder", "output"):
            layer = _layer(node, module, prefix)
            if layer is None or (layer.name and any(layer.name == seen.name for seen in layers)):
                return None  # a layer that is used twice has one gradient from both
            layers.append(layer)
        before = node
    return tuple(layers)


def _layer(node: fx.Node, module: nn.Module, prefix: str) -> Layer | None:
    if node.op != "call_module":
        kind = _FUNCTIONS.get(node.target)
        return None if kind is None else Layer(kind)
    part, name = module.get_submodule(str(node.target)), f"{prefix}{node.target}"
    if type(part) not in {nn.Linear, nn.BatchNorm1d, MaskedDropout, *_ACTIVATIONS}:
        return None  # a subclass may do something else
    match part:
        case nn.BatchNorm1d(momentum=float(momentum), affine=True, track_running_stats=True):
            return Layer("norm", name, eps=part.eps, momentum=momentum)
        case nn.Linear():
            return Layer("linear", name, bias=part.bias is not None)
        case MaskedDropout():
            return Layer("mask", name)
    kind = _ACTIVATIONS.get(type(part))
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
        self._steps: list[Step] = []
        for layer in layers:
            self._steps.append(step_of(layer, stack, rows, self._steps[-1:]))
        self._rows: list[TaskGradients] = []

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
            slope = step.back(slope, step.slots)

    def rows(self, slopes: Sequence[Tensor], /) -> TaskGradients:
        """The gradients of each of T tasks in the chain's parameters, valid until the next call.

        `slopes` (S, batch, width) are the tasks' gradients at what `forward` returned; they are
        overwritten.
        """
        if not self._rows:
            self._rows = [
                [slot.new_empty(len(slopes), *slot.shape) for slot in step.slots]
                for step in self._steps
            ]
        slopes = [*slopes]
        for step, rows in zip(reversed(self._steps), reversed(self._rows), strict=True):
            slopes = [
                step.back(slope, [row[task] for row in rows], task)
                for task, slope in enumerate(slopes)
            ]
        return [row for rows in self._rows for row in rows]

    @property
    def slots(self) -> list[Tensor]:
        """Where the stack keeps the gradients of the chain's parameters, in the order of rows."""
        return [slot for step in self._steps for slot in step.slots]
