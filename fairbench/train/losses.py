"""The default loss of each kind of task, for one trial or a stack of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812  (torch's own habit)

from fairbench.model import Task
from fairbench.train.batch import Batch

__all__ = ["row_losses", "sloped_losses", "task_losses"]


def row_losses(task: Task, output: Tensor, column: Tensor, /) -> Tensor:
    """Loss (..., batch) of each row for outputs and columns (..., batch, width).

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
    """Mean loss (..., T) of each task over the batch."""
    return torch.stack(
        [row_losses(t, outputs[t.name], batch.columns[t.name]).mean(-1) for t in tasks], dim=-1
    )


def sloped_losses(
    tasks: Sequence[Task], output: Tensor, columns: Tensor, /
) -> tuple[Tensor, Tensor]:
    """`task_losses` (S, T) in closed form, with the gradient of each at its own outputs.

    Parameters
    ----------
    output, columns
        (S, batch, widths): outputs of all heads side by side, and what they should be.

    Returns
    -------
    losses : (S, T)
    slopes : (S, batch, widths)
        In the columns of task t the gradient of loss t.
    """
    residual = output - columns
    slopes = torch.empty_like(residual)
    losses = []
    start, rows = 0, output.shape[1]
    for task in tasks:
        here = (..., slice(start, start + task.width))
        start += task.width
        slope = slopes[here]
        match task.kind:
            case "regression":
                gap = residual[here]
                losses.append(gap.square().mean((1, 2)))
                torch.mul(gap, 2 / (rows * task.width), out=slope)
            case "binary":
                logit, truth = output[here], columns[here]
                # log(1 + e^x) − x·z, which is exact for large |x| as well
                row = torch.addcmul(
                    torch.logaddexp(logit, logit.new_zeros(())), logit, truth, value=-1
                )
                losses.append(row.mean((1, 2)))
                slope.copy_(torch.sigmoid(logit).sub_(truth).div_(rows * task.width))
            case "categorical":
                log_share = F.log_softmax(output[here], dim=-1)
                losses.append(-(columns[here] * log_share).sum((1, 2)) / rows)
                slope.copy_(log_share.exp().sub_(columns[here]).div_(rows))
    return torch.stack(losses, dim=-1), slopes
