"""Parameters of many trials side by side, in one flat buffer that one optimiser step updates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor, nn

__all__ = ["Stack", "stack_modules"]


@dataclass
class Stack:
    """The trainable parameters and the buffers of S trials.

    Attributes
    ----------
    flat : (S · P,)
        All parameters, one after the other, each with its trials side by side.
    grad : (S · P,)
        Their gradients, likewise.
    parameters
        Views (S, ...) of `flat` by name; leaves of the autograd graph whose ``grad`` are views
        of `grad`.
    buffers
        Tensors (S, ...) by name, such as running statistics.
    """

    flat: Tensor
    grad: Tensor
    parameters: dict[str, Tensor]
    buffers: dict[str, Tensor]

    @classmethod
    def of(cls, parameters: Mapping[str, Tensor], buffers: Mapping[str, Tensor], /) -> Stack:
        """Lay `parameters` (S, ...) out in one buffer; `buffers` are taken over."""
        flat = torch.cat([tensor.detach().reshape(-1) for tensor in parameters.values()])
        grad = torch.zeros_like(flat)
        views: dict[str, Tensor] = {}
        start = 0
        for name, tensor in parameters.items():
            stop = start + tensor.numel()
            view = flat[start:stop].view(tensor.shape).detach().requires_grad_()
            view.grad = grad[start:stop].view(tensor.shape)
            views[name] = view
            start = stop
        flat.requires_grad_()
        flat.grad = grad
        return cls(flat, grad, views, dict(buffers))

    @property
    def lanes(self) -> int:
        """Number of trials S."""
        return next(iter(self.parameters.values())).shape[0]

    @cached_property
    def slots(self) -> dict[str, Tensor]:
        """Views (S, ...) of `grad` by parameter name."""
        return {name: t.grad for name, t in self.parameters.items() if t.grad is not None}

    def kept(self, index: Tensor, /) -> Stack:
        """A stack of the trials of `index` only."""
        return Stack.of(
            {name: tensor.detach()[index] for name, tensor in self.parameters.items()},
            {name: tensor[index] for name, tensor in self.buffers.items()},
        )

    def kept_flat(self, flat: Tensor, index: Tensor, /) -> Tensor:
        """Of a tensor laid out like `flat` (a moment estimate), the part of those trials."""
        pieces, start = [], 0
        for tensor in self.parameters.values():
            stop = start + tensor.numel()
            pieces.append(flat[start:stop].view(tensor.shape)[index].reshape(-1))
            start = stop
        return torch.cat(pieces)

    def lane_norms(self) -> Tensor:
        """Euclidean norm (S,) of each trial's whole gradient."""
        parts = [torch.linalg.vector_norm(slot.flatten(1), dim=1) for slot in self.slots.values()]
        norms: Tensor = torch.linalg.vector_norm(torch.stack(parts), dim=0)
        return norms

    def finite(self) -> Tensor:
        """Which trials (S,) have only finite parameters."""
        sums = [tensor.detach().flatten(1).sum(1) for tensor in self.parameters.values()]
        return torch.isfinite(torch.stack(sums)).all(0)


def stack_modules(modules: Sequence[nn.Module], /) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Parameters and buffers of equally built modules, each (S, ...) by name."""
    parameters = [dict(module.named_parameters()) for module in modules]
    buffers = [dict(module.named_buffers()) for module in modules]
    return (
        {name: torch.stack([p[name].detach() for p in parameters]) for name in parameters[0]},
        {name: torch.stack([b[name] for b in buffers]) for name in buffers[0]},
    )
