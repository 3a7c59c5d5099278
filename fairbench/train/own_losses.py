"""A method's own losses of a stack, differentiated by autograd, for every engine."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from fairbench.model import Task
from fairbench.train.batch import Rows
from fairbench.train.rules import Rules

__all__ = ["OwnLosses"]


class OwnLosses:
    """Computes losses and signals of a batch, and the gradients of that call.

    Called with outputs (S, batch, widths) of all tasks side by side and the batch's table, it
    gives losses (S, T) and signals (S, T) by name.
    """

    def __init__(
        self, tasks: Sequence[Task], rules: Rules, rows: Rows, tradeoff: Tensor, /
    ) -> None:
        self._tasks, self._rules, self._rows, self._tradeoff = tasks, rules, rows, tradeoff
        self._leaf = self._losses = tradeoff

    def __call__(self, output: Tensor, table: Tensor, /) -> tuple[Tensor, dict[str, Tensor]]:
        self._leaf = output.detach().requires_grad_()
        parts = torch.split(self._leaf, [task.width for task in self._tasks], dim=-1)
        outputs = {task.name: part for task, part in zip(self._tasks, parts, strict=True)}
        batch = self._rows.batch(table)
        self._losses, signals = self._rules.losses(outputs, batch, self._tradeoff)
        detached = {name: signal.detach().clone() for name, signal in signals.items()}
        return self._losses.detach(), detached

    def gradient(self, weights: Tensor, /) -> Tensor:
        """Return the gradient (S, batch, widths) of the sum of the losses with `weights` (S, T)."""
        (slope,) = torch.autograd.grad(self._losses, self._leaf, weights, retain_graph=True)
        return slope

    def each(self) -> list[Tensor]:
        """Return the gradient (S, batch, widths) of each loss."""
        losses = self._losses
        tasks = torch.eye(losses.shape[1], dtype=losses.dtype, device=losses.device)
        return [self.gradient(one.expand_as(losses)) for one in tasks]
