"""Forward and backward passes of a plain sequence of layers, by hand.

A sequence of linear layers, common activations, batch normalisation and dropout needs no autograd:
every product is written where it belongs (a weight's gradient into the flat gradient buffer),
activations and their derivatives in place, and no memory is asked for after the first step.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import Tensor

from fairbench.train.by_torch.layers import LayerPass, layer_pass
from fairbench.train.reading import Layer
from fairbench.train.stack import Block, Stack

__all__ = ["Sequential", "TaskGradients", "blocks_of"]

REGISTER = 16
"""Numbers of single precision in a vector register of the widest common kind."""

TaskGradients = list[Tensor]
"""For each parameter the gradients (T, S, ...) of all tasks."""


def blocks_of(layers: Sequence[Layer], shapes: Mapping[str, Sequence[int]], /) -> list[Block]:
    """Return the weights to store as (S, in, out), given their shapes (out, in) by name.

    The product that makes a weight's gradient is fastest where its last dimension fills whole
    vector registers; the number of features often does not, while the layer's width does.
    """
    names = [f"{layer.name}.weight" for layer in layers if layer.kind == "linear"]
    uneven = [n for n in names if shapes[n][-1] % REGISTER and not shapes[n][-2] % REGISTER]
    return [Block(name, (name,), transposed=True) for name in uneven]


class Sequential:
    """The layers of a trunk over the trials of one stack, for batches of one size.

    Parameters
    ----------
    stack
        Where parameters lie, and where their gradients go.
    rows
        Rows of a batch.
    """

    def __init__(self, layers: Sequence[Layer], stack: Stack, rows: int) -> None:
        self._passes: list[LayerPass] = []
        for layer in layers:
            self._passes.append(layer_pass(layer, stack, rows, self._passes[-1:]))
        self._gradients: list[TaskGradients] = []

    def forward(self, x: Tensor, masks: Mapping[str, Tensor], /) -> Tensor:
        """Return outputs (S, batch, width) for features (S, batch, d) until the next call."""
        for layer in self._passes:
            x = layer.forward(x, masks)
        return x

    def backward(self, slope: Tensor, /) -> None:
        """Write the gradients of the layers' parameters into the stack.

        `slope` (S, batch, width) is the gradient at what `forward` returned; it is overwritten.
        """
        for layer in reversed(self._passes):
            slope = layer.backward(slope, layer.slots)

    def task_gradients(self, slopes: Sequence[Tensor], /) -> TaskGradients:
        """Return the gradients of T tasks in the layers' parameters, valid until the next call.

        `slopes` (S, batch, width) are the tasks' gradients at what `forward` returned; they are
        overwritten.
        """
        if not self._gradients:
            self._gradients = [
                [slot.new_empty(len(slopes), *slot.shape) for slot in layer.slots]
                for layer in self._passes
            ]
        slopes = [*slopes]
        for layer, into in zip(reversed(self._passes), reversed(self._gradients), strict=True):
            slopes = [
                layer.backward(slope, [each[task] for each in into], task)
                for task, slope in enumerate(slopes)
            ]
        return [each for gradients in self._gradients for each in gradients]

    @property
    def slots(self) -> list[Tensor]:
        """Where the stack keeps these gradients, in the order of `task_gradients`."""
        return [slot for layer in self._passes for slot in layer.slots]
