"""Parameters of many trials side by side, in one flat buffer that one optimiser step updates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

__all__ = ["Block", "Stack", "stack_modules"]


@dataclass(frozen=True, slots=True)
class Block:
    """Parameters that are stored as one tensor, so that one product serves them all.

    Parameters
    ----------
    name
        Of the block.
    members
        Names of its parameters, (S, rows, ...) each: they lie one below the other.
    transposed
        Whether a single matrix (S, out, in) is stored as (S, in, out).
    """

    name: str
    members: tuple[str, ...]
    transposed: bool = False

    def joined(self, parameters: Mapping[str, Tensor], /) -> Tensor:
        """Return the block's own tensor, of parameters by name."""
        members = [parameters[name].detach() for name in self.members]
        if len(members) > 1:
            return torch.cat(members, dim=1)
        return members[0].mT if self.transposed else members[0]

    def parts(self, whole: Tensor, parameters: Mapping[str, Tensor], /) -> Sequence[Tensor]:
        """Return the members, shaped as in `parameters`, as views of the block's own tensor."""
        if len(self.members) > 1:
            return torch.split(whole, [parameters[n].shape[1] for n in self.members], dim=1)
        return [whole.mT if self.transposed else whole]


@dataclass
class Stack:
    """The trainable parameters and the buffers of S trials.

    Attributes
    ----------
    flat : (S · P,)
        All parameters, one block after the other, each with its trials side by side.
    grad : (S · P,)
        Their gradients, likewise.
    parameters
        Views (S, ...) of `flat` by name; leaves of the autograd graph.
    slots
        Views (S, ...) of `grad` by parameter name.
    blocks, block_slots
        Views (S, ...) of `flat` and `grad` by the name of the block, as they are stored.
    buffers
        Tensors (S, ...) by name, such as running statistics.
    """

    flat: Tensor
    grad: Tensor
    parameters: dict[str, Tensor]
    slots: dict[str, Tensor]
    blocks: dict[str, Tensor]
    block_slots: dict[str, Tensor]
    buffers: dict[str, Tensor]
    layout: Sequence[Block]

    @classmethod
    def of(
        cls,
        parameters: Mapping[str, Tensor],
        buffers: Mapping[str, Tensor],
        blocks: Sequence[Block] = (),
        /,
    ) -> Stack:
        """Lay `parameters` (S, ...) out in one buffer; `buffers` are taken over.

        Parameters that no block names are blocks of their own.
        """
        named = {name for block in blocks for name in block.members}
        layout = [*blocks, *(Block(name, (name,)) for name in parameters if name not in named)]
        whole = [block.joined(parameters) for block in layout]
        flat = torch.cat([tensor.reshape(-1) for tensor in whole])
        stack = cls(flat, torch.zeros_like(flat), {}, {}, {}, {}, dict(buffers), layout)
        shapes = [tensor.shape for tensor in whole]
        for block, values, slots in zip(
            layout, _cut(flat, shapes), _cut(stack.grad, shapes), strict=True
        ):
            stack.blocks[block.name], stack.block_slots[block.name] = values, slots
            parts = (block.parts(whole, parameters) for whole in (values, slots))
            for name, value, slot in zip(block.members, *parts, strict=True):
                stack.parameters[name] = value.detach().requires_grad_()
                stack.slots[name] = slot
        return stack

    @property
    def lanes(self) -> int:
        """Number of trials S."""
        return next(iter(self.blocks.values())).shape[0]

    def kept(self, index: Tensor, /) -> Stack:
        """Return a stack of the trials of `index` only."""
        return Stack.of(
            {name: tensor.detach()[index] for name, tensor in self.parameters.items()},
            {name: tensor[index] for name, tensor in self.buffers.items()},
            self.layout,
        )

    def cut(self, flat: Tensor, /) -> list[Tensor]:
        """Cut a tensor laid out like `flat` (a moment estimate) into views (S, ...) by block."""
        return _cut(flat, [tensor.shape for tensor in self.blocks.values()])

    def lane_norms(self) -> Tensor:
        """Return the Euclidean norm (S,) of each trial's whole gradient."""
        slots = self.block_slots.values()
        parts = [torch.linalg.vector_norm(slot.reshape(self.lanes, -1), dim=1) for slot in slots]
        norms: Tensor = torch.linalg.vector_norm(torch.stack(parts), dim=0)
        return norms

    def finite(self) -> Tensor:
        """Return which trials (S,) have only finite parameters."""
        sums = [tensor.reshape(self.lanes, -1).sum(1) for tensor in self.blocks.values()]
        return torch.isfinite(torch.stack(sums)).all(0)


def _cut(flat: Tensor, shapes: Sequence[torch.Size]) -> list[Tensor]:
    pieces = torch.split(flat, [shape.numel() for shape in shapes])
    return [piece.view(shape) for piece, shape in zip(pieces, shapes, strict=True)]


def stack_modules(modules: Sequence[nn.Module], /) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Stack parameters and buffers of equally built modules, each (S, ...) by name."""
    parameters = [dict(module.named_parameters()) for module in modules]
    buffers = [dict(module.named_buffers()) for module in modules]
    return (
        {name: torch.stack([p[name].detach() for p in parameters]) for name in parameters[0]},
        {name: torch.stack([b[name] for b in buffers]) for name in buffers[0]},
    )
