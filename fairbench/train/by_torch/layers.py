"""The layers of a sequence over a stack of trials: forward, and backward by hand."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from fairbench.train.reading import Kind, Layer
from fairbench.train.stack import Stack

__all__ = ["LayerPass", "layer_pass"]


class LayerPass(ABC):
    """One layer with the memory of its last forward pass.

    Attributes
    ----------
    slots
        Where the stack keeps the gradients of the layer's parameters.
    overwritable
        Whether nobody needs what `forward` gave, so that the next layer may write over it.
    """

    slots: Sequence[Tensor] = ()
    overwritable = False

    @abstractmethod
    def forward(self, x: Tensor, masks: Mapping[str, Tensor], /) -> Tensor:
        """Return values (S, batch, out) for values (S, batch, in)."""

    @abstractmethod
    def backward(self, slope: Tensor, into: Sequence[Tensor], task: int = 0, /) -> Tensor:
        """Return the gradient at the input, from that at the output, which is overwritten.

        Those of its parameters are written into `into`, which is like `slots`. Tasks have memory
        of their own.
        """


def layer_pass(layer: Layer, stack: Stack, rows: int, before: Sequence[LayerPass], /) -> LayerPass:
    """Bind `layer` to `stack`, for batches of so many rows, behind the layer `before` it."""
    match layer.kind:
        case "linear":
            return _Linear(layer, stack, rows, first=not before)
        case "norm":
            return _BatchNorm(layer, stack, rows)
        case "mask":
            return _Mask(layer.name)
        case kind:
            return _ACTIVATIONS[kind](in_place=any(layer.overwritable for layer in before))


class _Linear(LayerPass):
    overwritable = True

    def __init__(self, layer: Layer, stack: Stack, rows: int, *, first: bool) -> None:
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

    def forward(self, x: Tensor, masks: Mapping[str, Tensor], /) -> Tensor:
        self._x = x
        if self._bias is None:
            return torch.bmm(x, self._down, out=self._out)
        return torch.baddbmm(self._bias, x, self._down, out=self._out)

    def backward(self, slope: Tensor, into: Sequence[Tensor], task: int = 0, /) -> Tensor:
        if self._transposed:
            torch.bmm(self._x.mT, slope, out=into[0])
        else:
            torch.bmm(slope.mT, self._x, out=into[0])
        if self._bias is not None:
            torch.sum(slope, 1, out=into[1])
        if self._first:
            return slope  # nothing below has parameters
        while len(self._slopes) <= task:
            self._slopes.append(slope.new_empty(*slope.shape[:-1], self._width))
        return torch.bmm(slope, self._up, out=self._slopes[task])


class _BatchNorm(LayerPass):
    """Normalises over the batch: with n = (x - mean)/√(var + eps), gives weight·n + bias."""

    overwritable = True

    def __init__(self, layer: Layer, stack: Stack, rows: int) -> None:
        names = [f"{layer.name}.{part}" for part in ("weight", "bias")]
        self._weight, self._bias = (stack.blocks[name].unsqueeze(1) for name in names)
        self.slots = [stack.block_slots[name] for name in names]
        self._mean, self._var = (
            stack.buffers[f"{layer.name}.{part}"] for part in ("running_mean", "running_var")
        )
        self._rows, self._eps, self._momentum = rows, layer.eps, layer.momentum
        lanes, _, width = self._weight.shape
        self._normal = self._weight.new_empty(lanes, rows, width)
        self._out = torch.empty_like(self._normal)
        self._inverse = self._weight

    def forward(self, x: Tensor, masks: Mapping[str, Tensor], /) -> Tensor:
        mean = x.mean(1, keepdim=True)
        normal = torch.sub(x, mean, out=self._normal)
        var = torch.square(normal, out=self._out).mean(1, keepdim=True)
        self._inverse = (var + self._eps).rsqrt_()
        normal.mul_(self._inverse)
        self._mean.lerp_(mean.squeeze(1), self._momentum)
        # The running variance is the unbiased one.
        self._var.lerp_(var.squeeze(1).mul_(self._rows / (self._rows - 1)), self._momentum)
        return torch.addcmul(self._bias, normal, self._weight, out=self._out)

    def backward(self, slope: Tensor, into: Sequence[Tensor], task: int = 0, /) -> Tensor:
        normal = self._normal
        torch.sum(slope * normal, 1, out=into[0])
        torch.sum(slope, 1, out=into[1])
        # d/dx = weight·inverse·(slope - mean(slope) - n·mean(slope·n))
        slope.addcmul_(normal, into[0].unsqueeze(1), value=-1 / self._rows)
        slope.sub_(into[1].unsqueeze(1), alpha=1 / self._rows)
        return slope.mul_(self._weight * self._inverse)


class _Activation(LayerPass):
    """An element-wise layer, `in_place` where nobody needs its input."""

    def __init__(self, *, in_place: bool) -> None:
        self._in_place = in_place
        self._out = torch.empty(0)


class _Relu(_Activation):
    def forward(self, x: Tensor, masks: Mapping[str, Tensor], /) -> Tensor:
        self._out = x.clamp_min_(0) if self._in_place else torch.relu(x)
        return self._out

    def backward(self, slope: Tensor, into: Sequence[Tensor], task: int = 0, /) -> Tensor:
        threshold_backward = torch.ops.aten.threshold_backward.grad_input
        below: Tensor = threshold_backward(slope, self._out, 0, grad_input=slope)
        return below


class _Tanh(_Activation):
    def forward(self, x: Tensor, masks: Mapping[str, Tensor], /) -> Tensor:
        self._out = x.tanh_() if self._in_place else torch.tanh(x)
        return self._out

    def backward(self, slope: Tensor, into: Sequence[Tensor], task: int = 0, /) -> Tensor:
        return slope.addcmul_(slope, self._out.square(), value=-1)


class _Sigmoid(_Activation):
    def forward(self, x: Tensor, masks: Mapping[str, Tensor], /) -> Tensor:
        self._out = x.sigmoid_() if self._in_place else torch.sigmoid(x)
        return self._out

    def backward(self, slope: Tensor, into: Sequence[Tensor], task: int = 0, /) -> Tensor:
        return slope.mul_(self._out * (1 - self._out))


class _Mask(LayerPass):
    """Dropout with the masks of this step."""

    def __init__(self, name: str) -> None:
        self._name = f"{name}.mask"
        self._mask = torch.empty(0)
        self._space: Tensor | None = None

    def forward(self, x: Tensor, masks: Mapping[str, Tensor], /) -> Tensor:
        self._mask = masks[self._name]
        if self._space is None:
            self._space = torch.empty_like(self._mask)
        return torch.mul(x, self._mask, out=self._space)

    def backward(self, slope: Tensor, into: Sequence[Tensor], task: int = 0, /) -> Tensor:
        return slope.mul_(self._mask)


_ACTIVATIONS: Mapping[Kind, type[_Activation]] = {
    "relu": _Relu,
    "tanh": _Tanh,
    "sigmoid": _Sigmoid,
}
