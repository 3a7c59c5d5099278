"""Dropout that multiplies by a mask which it is given, so that every engine has the same ones."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

__all__ = ["MaskShapes", "MaskedDropout", "own_dropout", "probed"]


class MaskedDropout(nn.Module):
    """Multiplies by a buffer ``mask``, which the engine replaces at every training step."""

    mask: Tensor

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = p
        self.register_buffer("mask", torch.ones(()), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        return x * self.mask if self.training else x


def own_dropout(module: nn.Module, /) -> nn.Module:
    """Replace every `nn.Dropout` inside `module` by `MaskedDropout`, and return `module`."""
    for name, child in module.named_children():
        if type(child) is nn.Dropout:
            setattr(module, name, MaskedDropout(child.p))
        else:
            own_dropout(child)
    return module


MaskShapes = Mapping[str, tuple[float, torch.Size]]
"""Drop probability and shape (one trial's batch) of every mask, by buffer name."""


def probed(
    module: nn.Module, trunk: nn.Module, heads: Mapping[str, nn.Module], features: Tensor, /
) -> tuple[Tensor, dict[str, Tensor], MaskShapes]:
    """Return representation and outputs of one trial's batch, and the masks that it asks for."""
    shapes: dict[str, tuple[float, torch.Size]] = {}
    hooks = []
    for name, child in module.named_modules():
        if isinstance(child, MaskedDropout):

            def seen(layer: MaskedDropout, args: tuple[Tensor, ...], key: str = name) -> None:
                shapes[f"{key}.mask"] = (layer.p, args[0].shape)

            hooks.append(child.register_forward_pre_hook(seen))
    with torch.no_grad():
        hidden = trunk(features)
        outputs = {name: head(hidden) for name, head in heads.items()}
    for hook in hooks:
        hook.remove()
    return hidden, outputs, shapes
