"""The default losses of a stack and their gradients, without autograd."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812  (torch's own habit)

from fairbench.model import Task

__all__ = ["DefaultLosses"]


class DefaultLosses:
    """`task_losses` of a stack in closed form.

    Called with outputs (S, batch, widths) of all tasks side by side and the batch's table, it
    gives losses (S, T) and signals, of which there are none; gradients are those of that call.

    Parameters
    ----------
    scales : (S, T)
        What each task's loss is multiplied by; None for 1.
    like
        A tensor of the type and device to work with.
    """

    def __init__(self, tasks: Sequence[Task], scales: Tensor | None, like: Tensor, /) -> None:
        self._tasks, self._scales, self._like = tasks, scales, like
        self._factors: dict[int, tuple[Tensor, Tensor]] = {}
        self._residual = like  # outputs less the truth
        starts = accumulate((task.width for task in tasks), initial=0)
        self._columns = [
            (task, slice(start, start + task.width))
            for task, start in zip(tasks, starts, strict=False)
        ]

    def __call__(self, output: Tensor, table: Tensor, /) -> tuple[Tensor, dict[str, Tensor]]:
        columns = table[..., : output.shape[-1]]
        residual = self._residual = output - columns
        terms = residual.square()
        for task, at in self._columns:
            here = (..., at)
            if task.kind == "binary":
                logit, truth = output[here].contiguous(), columns[here]  # several times faster
                # log(1 + e^x) - x·z; beyond the threshold the logarithm is x to the last bit
                whole = F.softplus(logit, threshold=36)
                torch.addcmul(whole, logit, truth, value=-1, out=terms[here])
                torch.sub(torch.sigmoid(logit), truth, out=residual[here])
            elif task.kind == "categorical":
                log_share = F.log_softmax(output[here], dim=-1)
                torch.mul(columns[here], log_share.neg(), out=terms[here])
                torch.sub(log_share.exp(), columns[here], out=residual[here])
        _, means = self._factors_of(output.shape[1])
        losses = terms.sum(1) @ means
        return losses if self._scales is None else losses * self._scales, {}

    def gradient(self, weights: Tensor, /) -> Tensor:
        """Return the gradient (S, batch, widths) of the sum of the losses with `weights` (S, T)."""
        slopes, _ = self._factors_of(self._residual.shape[1])
        if self._scales is not None:
            weights = weights * self._scales
        return self._residual * (weights @ slopes).unsqueeze(1)

    def each(self) -> list[Tensor]:
        """Return the gradient (S, batch, widths) of each loss."""
        residual = self._residual
        slopes, _ = self._factors_of(residual.shape[1])
        if self._scales is None:
            return [residual * each for each in slopes]
        scaled = self._scales.unsqueeze(-1) * slopes
        return [residual * each.unsqueeze(1) for each in scaled.unbind(1)]

    def _factors_of(self, rows: int) -> tuple[Tensor, Tensor]:
        """Return what depends on the number of rows alone, from a cache.

        (T, widths) lead from a residual to each loss's gradient, and (widths, T) from terms
        summed over rows to the losses.
        """
        if rows not in self._factors:
            slopes = self._like.new_zeros(len(self._tasks), self._columns[-1][1].stop)
            means = torch.zeros_like(slopes)
            for number, (task, at) in enumerate(self._columns):
                share = 1 / rows if task.kind == "categorical" else 1 / (rows * task.width)
                means[number, at] = share
                slopes[number, at] = 2 * share if task.kind == "regression" else share
            self._factors[rows] = slopes, means.T.contiguous()
        return self._factors[rows]
