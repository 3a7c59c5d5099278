"""Random numbers of training: dropout masks and noise, from each trial's own generator."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from fairbench.train.dropout import MaskShapes

__all__ = ["AHEAD", "Draws", "mask_draws", "noise_draws", "thinned"]

Sampler = Callable[[Sequence[int], np.random.Generator], np.ndarray]
"""Draws an array of a shape from a generator."""

AHEAD = 32
"""Steps whose numbers are drawn at once."""

LEVELS = 1 << 16
"""A mask's entries are drawn with 16 bits each."""


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

    shapes: Mapping[str, tuple[Sampler, torch.Size]]
    generators: list[np.random.Generator]
    dtype: torch.dtype
    device: torch.device
    _drawn: dict[str, Tensor] = field(default_factory=dict)
    _space: dict[str, Tensor] = field(default_factory=dict)
    _step: int = 0

    def next(self) -> dict[str, Tensor]:
        """Return the draws (S, ...) of the next step by name."""
        drawn, _ = self.ahead(1)
        return {name: draws[0] for name, draws in drawn.items()}

    def ahead(self, most: int, /) -> tuple[dict[str, Tensor], int]:
        """Return the draws (steps, S, ...) of the next steps by name, and how many these are.

        At most `most`; fewer where others have to be drawn first.
        """
        at = self._step % AHEAD
        if at == 0:
            self._drawn = {name: self._stacked(name, *how) for name, how in self.shapes.items()}
        steps = min(most, AHEAD - at)
        self._step += steps
        return {name: drawn[at : at + steps] for name, drawn in self._drawn.items()}, steps

    def _stacked(self, name: str, draw: Sampler, shape: torch.Size) -> Tensor:
        """Draw (AHEAD, S, ...) over the ones before; what one step needs lies together."""
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
    """Return draws of dropout masks: kept entries are 1/(1-p), and p comes in steps of 2⁻¹⁶."""
    single = dtype == torch.float32
    named = {name: (_dropping(p, single), shape) for name, (p, shape) in shapes.items()}
    return Draws(named, [generator_of(seed) for seed in seeds], dtype, device)


def thinned(p: float, /) -> tuple[int, float]:
    """Return below which of `LEVELS` an entry is dropped, and the factor of all others."""
    threshold = round(p * LEVELS)
    share = (LEVELS - threshold) / LEVELS
    return threshold, 1 / share if share else 0.0


def _dropping(p: float, single: bool) -> Sampler:
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
    count: int,
    seeds: Sequence[int],
    dtype: torch.dtype,
    device: torch.device,
    /,
) -> Draws:
    """Return draws ``noise`` of standard normal numbers (count,)."""

    def draw(shape: Sequence[int], generator: np.random.Generator) -> np.ndarray:
        return generator.standard_normal(tuple(shape))

    generators = [generator_of(seed) for seed in seeds]
    return Draws({"noise": (draw, torch.Size((count,)))}, generators, dtype, device)


def generator_of(seed: int, /) -> np.random.Generator:
    """Return a fast generator, whose stream numpy keeps from version to version."""
    return np.random.Generator(np.random.SFC64(seed))
