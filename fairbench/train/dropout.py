"""Dropout whose masks come from each trial's own generator, on every path of the engine."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
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
    "thinned",
]

Draw = Callable[[Sequence[int], np.random.Generator], np.ndarray]

AHEAD = 32
"""Steps whose masks are drawn at once."""

LEVELS = 1 << 16
"""A mask's entries are drawn with 16 bits each."""


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

    What a trial draws depends on its own seed and step alone, not on its neighbours nor on the
    device: numbers are drawn on the CPU.

    Attributes
    ----------
    shapes
        By name, the shape one trial draws at one step and the function that draws an array
        (steps, *shape) from a generator.
    """

    shapes: Mapping[str, tuple[Draw, torch.Size]]
    generators: list[np.random.Generator]
    dtype: torch.dtype
    device: torch.device
    _drawn: dict[str, Tensor] = field(default_factory=dict)
    _space: dict[str, Tensor] = field(default_factory=dict)
    _step: int = 0

    def next(self) -> dict[str, Tensor]:
        """The draws (S, ...) of the next step by name."""
        drawn, _ = self.ahead(1)
        return {name: draws[0] for name, draws in drawn.items()}

    def ahead(self, most: int, /) -> tuple[dict[str, Tensor], int]:
        """The draws (steps, S, ...) of the next steps by name, and how many these are.

        At most `most`; fewer where others have to be drawn first.
        """
        at = self._step % AHEAD
        if at == 0:
            self._drawn = {name: self._stacked(name, *how) for name, how in self.shapes.items()}
        steps = min(most, AHEAD - at)
        self._step += steps
        return {name: drawn[at : at + steps] for name, drawn in self._drawn.items()}, steps

    def _stacked(self, name: str, draw: Draw, shape: torch.Size) -> Tensor:
        """Draws (AHEAD, S, ...), over the ones before: what one step needs lies together."""
        full = (AHEAD, len(self.generators), *shape)
        if name not in self._space or self._space[name].shape != full:
            self._space[name] = torch.empty(full, dtype=self.dtype)
        drawn = self._space[name]
        into = drawn.numpy()
        for lane, generator in enumerate(self.generators):
            into[:, lane] = draw((AHEAD, *shape), generator)
        return drawn.to(self.device)

    def keep(self, index: Sequence[int], /) -> None:
        """Go on with the trials of `index` only."""
        self.generators = [self.generators[i] for i in index]
        self._drawn = {name: drawn[:, list(index)] for name, drawn in self._drawn.items()}


def mask_draws(
    shapes: MaskShapes,
    seeds: Sequence[int],
    dtype: torch.dtype,
    device: torch.device,
    /,
) -> Draws:
    """Draws of dropout masks, whose kept entries are 1/(1-p), for p in steps of 2⁻¹⁶."""
    single = dtype == torch.float32
    named = {name: (_dropping(p, single), shape) for name, (p, shape) in shapes.items()}
    return Draws(named, [generator_of(seed) for seed in seeds], dtype, device)


def thinned(p: float, /) -> tuple[int, float]:
    """Below which of `LEVELS` an entry is dropped, and what the others are multiplied by."""
    threshold = round(p * LEVELS)
    share = (LEVELS - threshold) / LEVELS
    return threshold, 1 / share if share else 0.0


def _dropping(p: float, single: bool) -> Draw:
    threshold, factor = thinned(p)
    scale = (np.float32 if single else np.float64)(factor)

    def draw(shape: Sequence[int], generator: np.random.Generator) -> np.ndarray:
        count = math.prod(shape)
        # A whole word is drawn as fast as a quarter of it.
        words = generator.integers(2**64, size=-(-count // 4), dtype=np.uint64)
        numbers = words.astype("<u8", copy=False).view("<u2")[:count].reshape(shape)
        return (numbers >= threshold) * scale

    return draw


def noise_draws(
    terms: int,
    seeds: Sequence[int],
    dtype: torch.dtype,
    device: torch.device,
    /,
) -> Draws:
    """Draws ``noise`` of standard normal numbers (terms,)."""

    def draw(shape: Sequence[int], generator: np.random.Generator) -> np.ndarray:
        return generator.standard_normal(tuple(shape))

    generators = [generator_of(seed) for seed in seeds]
    return Draws({"noise": (draw, torch.Size((terms,)))}, generators, dtype, device)


def generator_of(seed: int, /) -> np.random.Generator:
    """A fast generator, of which numpy keeps the stream from version to version."""
    return np.random.Generator(np.random.SFC64(seed))
