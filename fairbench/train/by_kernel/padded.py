"""The parameters of a stack as the compiled kernel wants them: trial after trial, in whole vectors.

A weight lies as (in, out) with rows padded to whole vectors; the heads' weights lie one below the
other as (outputs, hidden). Padding is zero and stays so.

Behind a trial's parameters lie, each in the same form, its gradient, two moments and what else the
kernel keeps of that size. A processor that writes one of them and then reads another waits where
both addresses end in the same 12 bits, as it compares no more than those at first; so they lie
apart from one another by that measure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod

import torch
from torch import Tensor

from fairbench.train.by_torch.layers import Layer
from fairbench.train.stack import Stack

__all__ = ["Form", "PaddedStack", "Place", "form_of"]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a parameter (of one trial) lies: its first number, and the distances in between."""

    start: int
    strides: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Form:
    """How one trial's parameters lie.

    Attributes
    ----------
    places
        By name.
    head_weight, head_bias
        Where those of all heads begin.
    trunk
        Where the trunk's begin; they reach to the end.
    size
        Numbers of one trial.
    """

    places: Mapping[str, Place]
    head_weight: int
    head_bias: int
    trunk: int
    size: int


class _Room:
    """Gives out room in whole vectors of `unit` numbers."""

    def __init__(self, unit: int) -> None:
        self.unit, self.size = unit, 0

    def padded(self, count: int) -> int:
        return -(-count // self.unit) * self.unit

    def take(self, rows: int, width: int) -> int:
        start = self.size
        self.size += self.padded(rows * self.padded(width))
        return start


def form_of(
    chain: Sequence[Layer], heads: Sequence[str], shapes: Mapping[str, Sequence[int]], unit: int, /
) -> Form:
    """The form for parameters of these shapes (of one trial, by name).

    `heads` names the heads in order, and `unit` is the length of a vector.
    """
    room = _Room(unit)
    places: dict[str, Place] = {}
    weights, biases = ([f"heads.{name}.{part}" for name in heads] for part in ("weight", "bias"))
    widths = [shapes[name][0] for name in weights]
    hidden = shapes[weights[0]][1]
    step = room.padded(hidden)
    head_weight, head_bias = room.take(sum(widths), hidden), room.take(1, sum(widths))
    for at, (weight, bias) in enumerate(zip(weights, biases, strict=True)):
        before = sum(widths[:at])
        places[weight] = Place(head_weight + before * step, (step, 1))
        places[bias] = Place(head_bias + before, (1,))
    trunk_names = [f"{layer.name}.{part}" for layer in chain for part in ("weight", "bias")]
    for name, shape in shapes.items():
        if name not in {*weights, *biases, *trunk_names}:  # the weighting's own, and unused ones
            strides = tuple(prod(shape[axis + 1 :]) for axis in range(len(shape)))
            places[name] = Place(room.take(1, prod(shape)), strides)
    trunk = room.size
    for name in trunk_names:
        shape = shapes.get(name, ())
        if len(shape) == 2:
            out, width = shape
            places[name] = Place(room.take(width, out), (1, room.padded(out)))
        elif shape:
            places[name] = Place(room.take(1, shape[0]), (1,))
    return Form(places, head_weight, head_bias, trunk, room.size)


LINE = 64
"""Bytes that a processor fetches at once."""

ALIKE = 4096
"""Bytes after which addresses look alike."""

NEAR = 512
"""Bytes that are under way at once: about how far reading runs ahead of writing."""


def apart(size: int, kinds: int, item: int, /) -> int:
    """How many numbers of `item` bytes lie from one of a trial's `kinds` to the next.

    At least `size`, and no two of them begin within `NEAR` bytes of one another modulo `ALIKE`,
    or nearer than that where they are many.
    """
    near = min(NEAR, ALIKE // kinds // LINE * LINE)

    def clash(stride: int) -> bool:
        return any(min(k * stride % ALIKE, -k * stride % ALIKE) < near for k in range(1, kinds))

    stride = -(-size * item // LINE) * LINE
    while clash(stride):
        stride += LINE
    return stride // item


@dataclass
class PaddedStack(Stack):
    """A stack of that form.

    Attributes
    ----------
    numbers : (S, kinds, stride)
        Parameters, gradients, and what else there is of their size. `flat` and `grad` are views
        (S, size) of the first two, and every parameter is a block.
    """

    form: Form
    numbers: Tensor

    @classmethod
    def padded(
        cls,
        parameters: Mapping[str, Tensor],
        buffers: Mapping[str, Tensor],
        form: Form,
        /,
        kinds: int = 2,
    ) -> PaddedStack:
        """Lay `parameters` (S, …) out, and zeros for the other kinds; `buffers` are copied."""
        example = next(iter(parameters.values()))
        stride = apart(form.size, kinds, example.element_size())
        numbers = example.new_zeros(example.shape[0], kinds, stride)
        shapes = {name: tensor.shape[1:] for name, tensor in parameters.items()}
        kept = {name: tensor.contiguous().clone() for name, tensor in buffers.items()}
        stack = cls._over(numbers, shapes, kept, form)
        for name, value in stack.parameters.items():
            value.copy_(parameters[name].detach())
        return stack

    @classmethod
    def _over(
        cls,
        numbers: Tensor,
        shapes: Mapping[str, Sequence[int]],
        buffers: dict[str, Tensor],
        form: Form,
    ) -> PaddedStack:
        lanes, kinds, stride = numbers.shape
        values, slots = (
            {
                name: numbers.as_strided(
                    (lanes, *shapes[name]),
                    (kinds * stride, *place.strides),
                    kind * stride + place.start,
                )
                for name, place in form.places.items()
            }
            for kind in (0, 1)
        )
        flat, grad = numbers[:, 0, : form.size], numbers[:, 1, : form.size]
        return cls(flat, grad, values, slots, values, slots, buffers, (), form, numbers)

    def finite(self) -> Tensor:
        return torch.isfinite(self.flat.sum(1))

    def kept(self, index: Tensor, /) -> PaddedStack:
        shapes = {name: tensor.shape[1:] for name, tensor in self.parameters.items()}
        buffers = {name: tensor[index] for name, tensor in self.buffers.items()}
        return self._over(self.numbers[index], shapes, buffers, self.form)
