"""The parameters of a stack as the compiled kernel wants them: trial after trial, in whole vectors.

A weight lies as (in, out) with rows padded to whole vectors; the heads' weights lie one below the
other as (outputs, hidden). Padding is zero and stays so.

Behind a trial's parameters lie, each in the same layout, its gradient, two moments and what else
the kernel keeps of that size. They begin at distinct offsets modulo 4096, against 4K aliasing: a
load stalls behind a store that is under way to an address with the same low 12 bits.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod

import torch
from torch import Tensor

from fairbench.train.reading import Layer
from fairbench.train.stack import Stack

__all__ = ["Offset", "PaddedLayout", "PaddedStack", "padded_layout", "unaliased_stride"]


@dataclass(frozen=True, slots=True)
class Offset:
    """Where a parameter (of one trial) lies: its first number, and its strides."""

    first: int
    strides: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class PaddedLayout:
    """How one trial's parameters lie.

    Attributes
    ----------
    offsets
        By name.
    head_weight, head_bias
        Where those of all heads begin.
    trunk
        Where the trunk's begin; they reach to the end.
    size
        Numbers of one trial.
    """

    offsets: Mapping[str, Offset]
    head_weight: int
    head_bias: int
    trunk: int
    size: int


class _Allocator:
    """Gives out memory in whole vectors of `unit` numbers."""

    def __init__(self, unit: int) -> None:
        self.unit, self.size = unit, 0

    def padded(self, count: int) -> int:
        return -(-count // self.unit) * self.unit

    def take(self, rows: int, width: int) -> int:
        start = self.size
        self.size += self.padded(rows * self.padded(width))
        return start


def padded_layout(
    layers: Sequence[Layer], heads: Sequence[str], shapes: Mapping[str, Sequence[int]], unit: int, /
) -> PaddedLayout:
    """Return the layout for parameters of these shapes (of one trial, by name).

    `heads` names the heads in order, and `unit` is the length of a vector.
    """
    memory = _Allocator(unit)
    offsets: dict[str, Offset] = {}
    weights, biases = ([f"heads.{name}.{part}" for name in heads] for part in ("weight", "bias"))
    widths = [shapes[name][0] for name in weights]
    hidden = shapes[weights[0]][1]
    step = memory.padded(hidden)
    head_weight, head_bias = memory.take(sum(widths), hidden), memory.take(1, sum(widths))
    for at, (weight, bias) in enumerate(zip(weights, biases, strict=True)):
        before = sum(widths[:at])
        offsets[weight] = Offset(head_weight + before * step, (step, 1))
        offsets[bias] = Offset(head_bias + before, (1,))
    trunk_names = [f"{layer.name}.{part}" for layer in layers for part in ("weight", "bias")]
    for name, shape in shapes.items():
        if name not in {*weights, *biases, *trunk_names}:  # the weighting's own, and unused ones
            strides = tuple(prod(shape[axis + 1 :]) for axis in range(len(shape)))
            offsets[name] = Offset(memory.take(1, prod(shape)), strides)
    trunk = memory.size
    for name in trunk_names:
        shape = shapes.get(name, ())
        if len(shape) == 2:
            out, width = shape
            offsets[name] = Offset(memory.take(width, out), (1, memory.padded(out)))
        elif shape:
            offsets[name] = Offset(memory.take(1, shape[0]), (1,))
    return PaddedLayout(offsets, head_weight, head_bias, trunk, memory.size)


CACHE_LINE = 64
"""Bytes that a processor fetches at once."""

ALIASED = 4096
"""Bytes after which a processor first takes one address for another."""

IN_FLIGHT = 512
"""Bytes that are under way at once: about how far loads run ahead of stores."""


def unaliased_stride(size: int, kinds: int, item: int, /) -> int:
    """Return how many numbers of `item` bytes lie from one of a trial's `kinds` to the next.

    At least `size`, and no two of them begin within `IN_FLIGHT` bytes of one another modulo
    `ALIASED`, or nearer than that where they are many.
    """
    near = min(IN_FLIGHT, ALIASED // kinds // CACHE_LINE * CACHE_LINE)

    def clash(stride: int) -> bool:
        return any(min(k * stride % ALIASED, -k * stride % ALIASED) < near for k in range(1, kinds))

    stride = -(-size * item // CACHE_LINE) * CACHE_LINE
    while clash(stride):
        stride += CACHE_LINE
    return stride // item


@dataclass
class PaddedStack(Stack):
    """A stack in that layout.

    Attributes
    ----------
    numbers : (S, kinds, stride)
        Parameters, gradients, and what else there is of their size. `flat` and `grad` are views
        (S, size) of the first two, and every parameter is a block.
    """

    padding: PaddedLayout
    numbers: Tensor

    @classmethod
    def padded(
        cls,
        parameters: Mapping[str, Tensor],
        buffers: Mapping[str, Tensor],
        padding: PaddedLayout,
        /,
        kinds: int = 2,
    ) -> PaddedStack:
        """Lay `parameters` (S, …) out, with zeros for the other kinds, and copy `buffers`."""
        example = next(iter(parameters.values()))
        stride = unaliased_stride(padding.size, kinds, example.element_size())
        numbers = example.new_zeros(example.shape[0], kinds, stride)
        shapes = {name: tensor.shape[1:] for name, tensor in parameters.items()}
        kept = {name: tensor.contiguous().clone() for name, tensor in buffers.items()}
        stack = cls._over(numbers, shapes, kept, padding)
        for name, value in stack.parameters.items():
            value.copy_(parameters[name].detach())
        return stack

    @classmethod
    def _over(
        cls,
        numbers: Tensor,
        shapes: Mapping[str, Sequence[int]],
        buffers: dict[str, Tensor],
        padding: PaddedLayout,
    ) -> PaddedStack:
        lanes, kinds, stride = numbers.shape
        values, slots = (
            {
                name: numbers.as_strided(
                    (lanes, *shapes[name]),
                    (kinds * stride, *offset.strides),
                    kind * stride + offset.first,
                )
                for name, offset in padding.offsets.items()
            }
            for kind in (0, 1)
        )
        flat, grad = numbers[:, 0, : padding.size], numbers[:, 1, : padding.size]
        return cls(flat, grad, values, slots, values, slots, buffers, (), padding, numbers)

    def finite(self) -> Tensor:
        return torch.isfinite(self.flat.sum(1))

    def kept(self, index: Tensor, /) -> PaddedStack:
        shapes = {name: tensor.shape[1:] for name, tensor in self.parameters.items()}
        buffers = {name: tensor[index] for name, tensor in self.buffers.items()}
        return self._over(self.numbers[index], shapes, buffers, self.padding)
