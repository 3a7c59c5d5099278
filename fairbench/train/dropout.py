"""Dropout whose masks come from each trial's own generator, on every path of the engine."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

__all__ = [
    "Draws",
    "MaskShapes",
    "MaskedDropout",
    "mask_draws",
    "noise_draws",
    "own_dropout",
    "probed",
]

Draw = Callable[[torch.Size, torch.Generator], Tensor]

AHEAD = 32
"""Steps whose masks are drawn at once."""


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
    """`module` with every `nn.Dropout` inside replaced by `MaskedDropout`."""
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
    """Representation and outputs of one trial's batch, and the masks that it asked for."""
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


@dataclass
class Draws:
    """Random numbers of S trials, each from its own generator, `AHEAD` steps at a time.

    What a trial draws depends on its own seed and step alone, not on its neighbours.

    Attributes
    ----------
    shapes
        By name, the shape one trial draws at one step and the function that draws
        (steps, *shape) from a generator.
    """

    shapes: Mapping[str, tuple[Draw, torch.Size]]
    generators: list[torch.Generator]
    _drawn: dict[str, Tensor] = field(default_factory=dict)
    _step: int = 0

    def next(self) -> dict[str, Tensor]:
        """The draws (S, ...) of the next step by name."""
        at = self._step % AHEAD
        if at == 0:
            self._drawn = {
                name: torch.stack([draw(torch.Size((AHEAD, *shape)), g) for g in self.generators])
                for name, (draw, shape) in self.shapes.items()
            }
        self._step += 1
        return {name: drawn[:, at] for name, drawn in self._drawn.items()}

    def keep(self, index: Sequence[int], /) -> None:
        """Go on with the trials of `index` only."""
        self.generators = [self.generators[i] for i in index]
        self._drawn = {name: drawn[list(index)] for name, drawn in self._drawn.items()}


def mask_draws(
    shapes: MaskShapes,
    seeds: Sequence[int],
    dtype: torch.dtype,
    device: torch.device,
    /,
) -> Draws:
    """Draws of dropout masks, whose kept entries are 1/(1−p)."""

    def drawing(p: float) -> Draw:
        def draw(shape: torch.Size, generator: torch.Generator) -> Tensor:
            kept = (torch.rand(shape, generator=generator) >= p).to(device=device, dtype=dtype)
            return kept / (1 - p) if p < 1 else kept

        return draw

    named = {name: (drawing(p), shape) for name, (p, shape) in shapes.items()}
    return Draws(named, [generator_of(seed) for seed in seeds])


def noise_draws(
    terms: int, seeds: Sequence[int], dtype: torch.dtype, device: torch.device, /
) -> Draws:
    """Draws ``noise`` of standard normal numbers (terms,)."""

    def draw(shape: torch.Size, generator: torch.Generator) -> Tensor:
        return torch.randn(shape, generator=generator, dtype=torch.float64).to(device, dtype)

    return Draws({"noise": (draw, torch.Size((terms,)))}, [generator_of(seed) for seed in seeds])


def generator_of(seed: int, /) -> torch.Generator:
    """A generator on the CPU, whose numbers are the same whatever the training device."""
    return torch.Generator().manual_seed(seed)
