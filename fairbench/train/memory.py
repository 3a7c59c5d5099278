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

from fairbench.train.dropout import AHEAD, MaskShapes

if TYPE_CHECKING:
    from fairbench.method import Trial
    from fairbench.train.batch import Rows

__all__ = ["Footprint", "stacks_of"]

COPIES = 9
"""Of all parameters: themselves, gradients, two moments, the initial module, the start, the
final weights, and the best ones with what compares them."""

PASSES = 4
"""Tensors of a layer's size that a step keeps or makes: values, slopes, and those of others."""


@dataclass(frozen=True, slots=True)
class Footprint:
    """About how many bytes training takes: for each trial, and for each order of the rows."""

    trial: int
    order: int

    @classmethod
    def of(
        cls,
        module: nn.Module,
        run: Callable[[Tensor], object],
        probe: Tensor,
        masks: MaskShapes,
        rows: Sequence[Rows],
        /,
    ) -> Footprint:
        """That of a module which `run` calls, with `rows` for training first."""
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
        trial = COPIES * sum(t.numel() for t in tensors) + PASSES * sum(sizes) + AHEAD * drawn
        predicted = sum(part.table.numel() for part in held_out)
        # A permuted copy of all rows, and the batch that is cut from it.
        order = train.features.numel() + train.table.numel() + 2 * len(train.table)
        return cls(item * trial + 8 * predicted, item * order)


def stacks_of(
    chains: Sequence[Sequence[Trial]], footprint: Footprint, budget: int, /
) -> list[Sequence[Sequence[Trial]]]:
    """`chains` in order, cut into the fewest parts that fit `budget` bytes, as even as can be."""
    for count in range(1, len(chains)):
        cuts = [len(chains) * part // count for part in range(count + 1)]
        parts = [chains[start:stop] for start, stop in pairwise(cuts)]
        if all(_bytes(part, footprint) <= budget for part in parts):
            return parts
    return [[chain] for chain in chains]


def _bytes(chains: Sequence[Sequence[Trial]], footprint: Footprint) -> int:
    seeds = {chain[0].seed for chain in chains}
    return footprint.trial * len(chains) + footprint.order * len(seeds)
