"""Forward passes over held-out rows, a bounded number of them at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from fairbench.train.compiled import compiled_outputs

if TYPE_CHECKING:
    from fairbench.train.batch import Rows
    from fairbench.train.program import Tensors
    from fairbench.train.setup import Setup

__all__ = ["predicted"]

AT_ONCE = 1 << 26
"""Bytes that the layers of one pass may take: the split must not depend on the machine."""


def predicted(
    setup: Setup, parameters: Tensors, buffers: Tensors, rows: Rows, heads: Sequence[str], /
) -> Tensor:
    """Outputs (S, rows, widths) of these heads for parameters and buffers (S, ...) by name."""
    if setup.compiled:
        outputs = compiled_outputs(setup, parameters, buffers, rows.features)
        parts = torch.split(outputs, [task.width for task in setup.tasks], dim=-1)
        named = dict(zip((task.name for task in setup.tasks), parts, strict=True))
        return torch.cat([named[name] for name in heads], dim=-1)
    tensors = {**parameters, **buffers}
    lanes = next(iter(tensors.values())).shape[0]

    def passed(x: Tensor) -> Tensor:
        hidden = setup.network.trunk(tensors, x.expand(lanes, -1, -1), False)
        return torch.cat([setup.network.heads[n](tensors, hidden, False) for n in heads], dim=-1)

    at_once = max(1, AT_ONCE // (lanes * setup.footprint.row))
    with torch.no_grad():
        return torch.cat([passed(x) for x in torch.split(rows.features, at_once)], dim=1)
