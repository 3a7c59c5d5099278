"""Losses by group, for methods that take the groups as tasks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import Tensor

from fairbench.model import Task
from fairbench.train import Batch, row_losses

__all__ = ["group_means", "target_losses"]


def group_means(rows: Tensor, batch: Batch, /) -> Tensor:
    """Mean (..., G) of row quantities (..., batch) in each group; 0 for an absent group."""
    counts = batch.groups.sum(-2)
    return (batch.groups * rows.unsqueeze(-1)).sum(-2) / counts.clamp_min(1)


def target_losses(tasks: Sequence[Task], outputs: Mapping[str, Tensor], batch: Batch, /) -> Tensor:
    """Squared error (..., batch) of each row, summed over targets, on the standardised scale."""
    losses = [row_losses(task, outputs[task.name], batch.columns[task.name]) for task in tasks]
    return sum(losses[1:], start=losses[0])
