"""The network of a stack during training: forward, and backward from the outputs.

Outputs of all heads lie side by side in one tensor (S, batch, widths), in the order of the
tasks. A weighting may have the representation between trunk and heads see another gradient than
the heads do, or ask for each task's own gradient in the trunk.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from fairbench.train.by_torch.sequential import Sequential, TaskGradients, blocks_of
from fairbench.train.reading import Layer
from fairbench.train.stack import Block, Stack

if TYPE_CHECKING:
    from fairbench.train.by_torch.forward import Forward, Tensors

__all__ = ["ByAutograd", "ByHand", "Net", "gramian", "jacobian"]


class Net(ABC):
    """A forward pass that remembers what its backward pass needs."""

    def blocks(self, shapes: Mapping[str, Sequence[int]], /) -> list[Block]:
        """Return how parameters should lie in memory, given their shapes for one trial by name."""
        return []

    @abstractmethod
    def forward(self, stack: Stack, masks: Tensors, x: Tensor, /) -> Tensor:
        """Return outputs (S, batch, widths) of all heads in training mode."""

    @abstractmethod
    def backward(self, at_outputs: Tensor, at_trunk: Tensor | None = None, /) -> None:
        """Write all gradients into the stack, for a gradient (S, batch, widths) at the outputs.

        Where `at_trunk` is given, the heads get `at_outputs` and the trunk gets `at_trunk`.
        """

    @abstractmethod
    def trunk_gradients(self, at_outputs: Sequence[Tensor], /) -> TaskGradients:
        """Return each task's gradient in the trunk's parameters, valid until the next call.

        `at_outputs` are the tasks' gradients (S, batch, widths) at the outputs.
        """

    @abstractmethod
    def backward_combined(
        self, at_outputs: Tensor, gradients: TaskGradients, weights: Tensor, /
    ) -> None:
        """Write all gradients: the heads' for `at_outputs`, the trunk's from `gradients`.

        The trunk gets the sum of the tasks' `gradients` with `weights` (S, T).
        """


def gramian(gradients: TaskGradients, /) -> Tensor:
    """Return inner products (S, T, T) of the tasks' gradients, summed over parameters."""
    total: Tensor | None = None
    for each in gradients:
        flat = each.reshape(*each.shape[:2], -1).transpose(0, 1)
        total = torch.bmm(flat, flat.mT) if total is None else torch.baddbmm(total, flat, flat.mT)
    assert total is not None
    return total


def jacobian(gradients: TaskGradients, /) -> Tensor:
    """Return the tasks' gradients (S, T, P), parameter after parameter."""
    return torch.cat([each.flatten(2).transpose(0, 1) for each in gradients], dim=-1)


def _combine(gradients: TaskGradients, weights: Tensor, slots: Sequence[Tensor]) -> None:
    """Write the sum of the tasks' gradients with `weights` (S, T) into `slots`."""
    columns = weights.unsqueeze(1)
    for each, slot in zip(gradients, slots, strict=True):
        flat = each.reshape(*each.shape[:2], -1).transpose(0, 1)
        torch.bmm(columns, flat, out=slot.view(slot.shape[0], 1, -1))


class ByHand(Net):
    """A trunk that is a sequence of known layers and linear heads, differentiated by hand."""

    def __init__(self, trunk: Sequence[Layer], heads: Sequence[str], /) -> None:
        self._trunk, self._heads = trunk, heads
        self._passes: dict[int, _Pass] = {}
        self._stack: Stack | None = None

    def blocks(self, shapes: Mapping[str, Sequence[int]], /) -> list[Block]:
        joint = [
            Block(f"heads.{part}", tuple(f"heads.{name}.{part}" for name in self._heads))
            for part in ("weight", "bias")
        ]
        return [*joint, *blocks_of(self._trunk, shapes)]

    def forward(self, stack: Stack, masks: Tensors, x: Tensor, /) -> Tensor:
        if stack is not self._stack:
            self._stack, self._passes = stack, {}
        rows = x.shape[1]
        if rows not in self._passes:
            self._passes[rows] = _Pass(self._trunk, stack, rows)
        self._now = self._passes[rows]
        return self._now.forward(x, masks)

    def backward(self, at_outputs: Tensor, at_trunk: Tensor | None = None, /) -> None:
        self._now.write_heads(at_outputs)
        slope = at_outputs if at_trunk is None else at_trunk
        self._now.trunk.backward(self._now.at_hidden(slope))

    def trunk_gradients(self, at_outputs: Sequence[Tensor], /) -> TaskGradients:
        return self._now.trunk.task_gradients(
            [self._now.at_hidden(slope, task) for task, slope in enumerate(at_outputs)]
        )

    def backward_combined(
        self, at_outputs: Tensor, gradients: TaskGradients, weights: Tensor, /
    ) -> None:
        self._now.write_heads(at_outputs)
        _combine(gradients, weights, self._now.trunk.slots)


class _Pass:
    """Trunk and heads over one stack, for batches of one size."""

    def __init__(self, trunk: Sequence[Layer], stack: Stack, rows: int) -> None:
        self.trunk = Sequential(trunk, stack, rows)
        self._weight, self._bias = stack.blocks["heads.weight"], stack.blocks["heads.bias"]
        self._weight_slot = stack.block_slots["heads.weight"]
        self._bias_slot = stack.block_slots["heads.bias"]
        self._out = self._weight.new_empty(stack.lanes, rows, self._weight.shape[1])
        self._slopes: list[Tensor] = []
        self._hidden = torch.empty(0)

    def forward(self, x: Tensor, masks: Tensors) -> Tensor:
        """Return outputs (S, batch, widths), valid until the next call."""
        self._hidden = self.trunk.forward(x, masks)
        bias = self._bias.unsqueeze(1)
        return torch.baddbmm(bias, self._hidden, self._weight.mT, out=self._out)

    def write_heads(self, at_outputs: Tensor) -> None:
        """Write the gradients of the heads' parameters into their slots."""
        torch.bmm(at_outputs.mT, self._hidden, out=self._weight_slot)
        torch.sum(at_outputs, 1, out=self._bias_slot)

    def at_hidden(self, at_outputs: Tensor, task: int = 0) -> Tensor:
        """Return the gradient (S, batch, h) at the representation, from that at the outputs."""
        while len(self._slopes) <= task:
            self._slopes.append(torch.empty_like(self._hidden))
        return torch.bmm(at_outputs, self._weight, out=self._slopes[task])


class ByAutograd(Net):
    """Any trunk and heads, differentiated by autograd."""

    def __init__(self, trunk: Forward, heads: Mapping[str, Forward], /) -> None:
        self._trunk, self._heads = trunk, heads
        self._hidden = self._entry = self._outputs = torch.empty(0)

    def forward(self, stack: Stack, masks: Tensors, x: Tensor, /) -> Tensor:
        tensors = {**stack.parameters, **stack.buffers, **masks}
        self._stack = stack
        self._hidden = self._trunk(tensors, x, True)
        self._entry = self._hidden.detach().requires_grad_()
        self._outputs = torch.cat(
            [head(tensors, self._entry, True) for head in self._heads.values()], dim=-1
        )
        return self._outputs.detach()

    def backward(self, at_outputs: Tensor, at_trunk: Tensor | None = None, /) -> None:
        at_hidden = self._write_heads(at_outputs)
        if at_trunk is not None:
            at_hidden = self._at_hidden(at_trunk)
        for slot, gradient in zip(self._trunk_slots(), self._pulled(at_hidden), strict=True):
            _put(slot, gradient)

    def trunk_gradients(self, at_outputs: Sequence[Tensor], /) -> TaskGradients:
        tasks = [self._pulled(self._at_hidden(slope)) for slope in at_outputs]
        return [
            torch.stack([torch.zeros_like(slot) if found is None else found for found in each])
            for slot, each in zip(self._trunk_slots(), zip(*tasks, strict=True), strict=True)
        ]

    def backward_combined(
        self, at_outputs: Tensor, gradients: TaskGradients, weights: Tensor, /
    ) -> None:
        self._write_heads(at_outputs)
        _combine(gradients, weights, self._trunk_slots())

    def backward_along(self, at_outputs: Tensor, direction: Tensor, /) -> None:
        """Write all gradients: the heads' for `at_outputs`, and `direction` (S, P) for the trunk.

        Its coordinates are those of `jacobian`.
        """
        self._write_heads(at_outputs)
        slots = self._trunk_slots()
        parts = torch.split(direction, [slot[0].numel() for slot in slots], dim=-1)
        for slot, part in zip(slots, parts, strict=True):
            slot.copy_(part.view_as(slot))

    def _names(self, prefix: str) -> list[str]:
        return [name for name in self._stack.parameters if name.startswith(prefix)]

    def _trunk_slots(self) -> list[Tensor]:
        return [self._stack.slots[name] for name in self._names("trunk.")]

    def _pulled(self, at_hidden: Tensor) -> Sequence[Tensor | None]:
        sources = [self._stack.parameters[name] for name in self._names("trunk.")]
        return _gradients(self._hidden, sources, at_hidden)

    def _at_hidden(self, at_outputs: Tensor) -> Tensor:
        (found,) = _gradients(self._outputs, [self._entry], at_outputs)
        return torch.zeros_like(self._entry) if found is None else found

    def _write_heads(self, at_outputs: Tensor) -> Tensor:
        """Write the heads' gradients into their slots, and return that at the representation."""
        names = self._names("heads.")
        sources = [self._entry, *(self._stack.parameters[name] for name in names)]
        at_hidden, *found = _gradients(self._outputs, sources, at_outputs)
        for name, gradient in zip(names, found, strict=True):
            _put(self._stack.slots[name], gradient)
        return torch.zeros_like(self._entry) if at_hidden is None else at_hidden


def _gradients(output: Tensor, sources: Sequence[Tensor], slope: Tensor) -> Sequence[Tensor | None]:
    if not output.requires_grad or not sources:
        return [None] * len(sources)
    return torch.autograd.grad(output, sources, slope, retain_graph=True, allow_unused=True)


def _put(slot: Tensor, gradient: Tensor | None) -> None:
    if gradient is None:
        slot.zero_()
    else:
        slot.copy_(gradient)
