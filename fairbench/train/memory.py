"""How many trials fit side by side into the memory that a chunk may take.

The answer depends on the study alone (data, model, settings, seeds), not on the machine: where a
stack is cut decides the last bits of what it computes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import prod
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from fairbench.train.batch import Rows
from fairbench.train.draws import AHEAD
from fairbench.train.dropout import MaskShapes

if TYPE_CHECKING:
    from fairbench.method import Trial

__all__ = ["Footprint", "stacks_of"]

COPIES = 9
"""Of all parameters: themselves, gradients, two moments, the initial module, the start, the final
weights, the best ones, and what is copied on the way. One more set of the first four lives for
a moment when a stack shrinks."""

SHRINKING = 4
"""Those of the smaller stack, while the larger is still there."""

PASSES = 4
"""Tensors of a layer's size that a step keeps or makes: values, slopes, and those of others."""


@dataclass(frozen=True, slots=True)
class Footprint:
    """About how many bytes training takes.

    For each trial, for each order of the rows, and for each trial and row of a forward pass.
    """

    trial: int
    order: int
    row: int

    @classmethod
    def of(
        cls,
        module: nn.Module,
        run: Callable[[Tensor], object],
        probe: Tensor,
        masks: MaskShapes,
        rows: Sequence[Rows],
        /,
        *,
        terms: int,
        shrinks: bool,
    ) -> Footprint:
        """Estimate that of a module which `run` calls, with `rows` for training first.

        `terms` is the number of losses whose gradients in the trunk are each kept, and `shrinks`
        says whether trials may stop early.
        """
        item = probe.element_size()
        tensors = [*module.parameters(), *module.buffers()]
        layers = [layer for layer in module.modules() if not any(layer.children())]
        sizes: list[int] = []

        def seen(_layer: nn.Module, _inputs: object, output: object) -> None:
            if isinstance(output, Tensor):
                sizes.append(output.numel())

        hooks = [layer.register_forward_hook(seen) for layer in layers]
        with torch.no_grad():
            run(probe)
        for hook in hooks:
            hook.remove()
        drawn = sum(prod(shape) for _, shape in masks.values())
        train, *held_out = rows
        # Each task's gradients are kept twice, where a last batch is short.
        copies = COPIES + 2 * terms + (SHRINKING if shrinks else 0)
        # A batch of its own, beside what its layers make of it.
        passes = PASSES * (sum(sizes) + probe.numel())
        trial = copies * sum(t.numel() for t in tensors) + passes + AHEAD * drawn
        predicted = sum(part.table.numel() for part in held_out)
        # All rows in their order, and that order in numbers of eight bytes.
        order = item * (train.features.numel() + train.table.numel()) + 8 * len(train.table)
        row = item * PASSES * (sum(sizes) + probe.numel()) // len(probe)
        return cls(item * trial + 8 * predicted, order, row)


def stacks_of(
    chains: Sequence[Sequence[Trial]], footprint: Footprint, budget: int, /
) -> list[Sequence[Sequence[Trial]]]:
    """Cut `chains` in order into the fewest parts that fit `budget` bytes, as even as can be."""
    for count in range(1, len(chains)):
        cuts = [len(chains) * part // count for part in range(count + 1)]
        parts = [chains[start:stop] for start, stop in pairwise(cuts)]
        if all(_bytes(part, footprint) <= budget for part in parts):
            return parts
    return [[chain] for chain in chains]


def _bytes(chains: Sequence[Sequence[Trial]], footprint: Footprint) -> int:
    seeds = {chain[0].seed for chain in chains}
    return footprint.trial * len(chains) + footprint.order * len(seeds)
