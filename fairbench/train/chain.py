"""Forward and backward passes of a plain chain of layers, by hand.

A chain of linear layers, common activations and dropout needs no autograd: every product is
written where it belongs (a weight's gradient into the flat gradient buffer), activations and
their derivatives in place, and no memory is asked for after the first step.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import Tensor, fx, nn
from torch.nn import functional as F  # noqa: N812  (torch's own habit)

from fairbench.train.dropout import MaskedDropout
from fairbench.train.program import Tensors, traced

__all__ = ["Chain", "Layer", "chain_of"]

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


@dataclass
class Chain:
    """A chain of layers over S trials, with the memory of its last forward pass."""

    layers: Sequence[Layer]
    _spaces: dict[tuple[object, ...], Tensor] = field(default_factory=dict)
    _inputs: list[Tensor] = field(default_factory=list)

    def forward(self, tensors: Tensors, x: Tensor, /) -> Tensor:
        """Outputs (S, batch, width) for features (S, batch, d), valid until the next call."""
        self._inputs = []
        for number, layer in enumerate(self.layers):
            self._inputs.append(x)
            x = self._apply(number, layer, tensors, x)
        return x

    def _apply(self, number: int, layer: Layer, tensors: Tensors, x: Tensor) -> Tensor:
        match layer.kind:
            case "linear":
                weight = tensors[f"{layer.name}.weight"].mT
                out = self._space(number, (*x.shape[:2], weight.shape[2]), x)
                if layer.bias:
                    bias = tensors[f"{layer.name}.bias"].unsqueeze(1)
                    return torch.baddbmm(bias, x, weight, out=out)
                return torch.bmm(x, weight, out=out)
            case "mask":
                return torch.mul(x, tensors[f"{layer.name}.mask"], out=self._like(number, x))
            case "relu":
                return x.clamp_min_(0) if number else torch.relu(x)
            case "tanh":
                return torch.tanh(x, out=self._like(number, x))
            case "sigmoid":
                return torch.sigmoid(x, out=self._like(number, x))

    def backward(
        self, tensors: Tensors, output: Tensor, slope: Tensor, into: Mapping[str, Tensor], /
    ) -> None:
        """Write the gradients of the chain's parameters into `into`, by name.

        `slope` (S, batch, width) is the gradient at `output`, what `forward` returned; it is
        overwritten.
        """
        for number in range(len(self.layers) - 1, -1, -1):
            layer, x = self.layers[number], self._inputs[number]
            match layer.kind:
                case "linear":
                    torch.bmm(slope.mT, x, out=into[f"{layer.name}.weight"])
                    if layer.bias:
                        torch.sum(slope, 1, out=into[f"{layer.name}.bias"])
                    if number:
                        weight = tensors[f"{layer.name}.weight"]
                        space = self._space(("slope", number), x.shape, x)
                        slope = torch.bmm(slope, weight, out=space)
                case "mask":
                    slope = slope.mul_(tensors[f"{layer.name}.mask"])
                case "relu":
                    slope = torch.ops.aten.threshold_backward.grad_input(
                        slope, output, 0, grad_input=slope
                    )
                case "tanh":
                    slope = slope.addcmul_(slope, output.square(), value=-1)
                case "sigmoid":
                    slope = slope.mul_(output.mul(1 - output))
            output = x

    def _like(self, key: object, x: Tensor) -> Tensor:
        return self._space(key, x.shape, x)

    def _space(self, key: object, shape: Sequence[int], like: Tensor) -> Tensor:
        """Memory of that shape, the same at every step."""
        full = (key, *shape)
        if full not in self._spaces:
            self._spaces[full] = like.new_empty(shape)
        return self._spaces[full]

    def forget(self) -> None:
        """Give the memory back, for a stack of another size."""
        self._spaces.clear()
        self._inputs.clear()
