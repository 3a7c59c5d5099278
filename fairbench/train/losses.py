"""The default loss of each kind of task, for one trial or a stack of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812  (torch's own habit)

from fairbench.model import Task
from fairbench.train.batch import Batch

__all__ = ["row_losses", "task_losses"]


def row_losses(task: Task, output: Tensor, column: Tensor, /) -> Tensor:
    """Return the loss (..., batch) of each row for outputs and columns (..., batch, width).

    Squared error for regression, cross-entropy on logits for binary and categorical tasks.
    """
    match task.kind:
        case "regression":
            return (output - column).square().mean(-1)
        case "binary":
            return F.binary_cross_entropy_with_logits(output, column, reduction="none").mean(-1)
        case "categorical":
            return -(column * F.log_softmax(output, dim=-1)).sum(-1)


def task_losses(tasks: Sequence[Task], outputs: Mapping[str, Tensor], batch: Batch, /) -> Tensor:
    """Return the mean loss (..., T) of each task over the batch."""
    return torch.stack(
        [row_losses(t, outputs[t.name], batch.columns[t.name]).mean(-1) for t in tasks], dim=-1
    )
