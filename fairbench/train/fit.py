"""The training loop of a stack: epochs, early stopping, divergence, and what is recorded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from fairbench.method import Trial
from fairbench.train.batch import orders_of, visits_of
from fairbench.train.by_torch.engine import predicted
from fairbench.train.by_torch.optimizer import rate
from fairbench.train.losses import row_losses
from fairbench.train.setup import Setup
from fairbench.train.stack import Stack
from fairbench.train.steps import Steps

__all__ = ["Fitted", "Weights", "fit"]


@dataclass(frozen=True)
class Weights:
    """Parameters and buffers (S, ...) of a stack by name."""

    parameters: Mapping[str, Tensor]
    buffers: Mapping[str, Tensor]

    def rows(self, index: Tensor, /) -> Weights:
        """Those of the trials of `index`."""
        return Weights(
            {name: tensor[index] for name, tensor in self.parameters.items()},
            {name: tensor[index] for name, tensor in self.buffers.items()},
        )

    def put(self, index: Tensor, other: Weights, /) -> None:
        """Overwrite the trials of `index` by those of `other`, in place."""
        for mine, theirs in ((self.parameters, other.parameters), (self.buffers, other.buffers)):
            for name, tensor in mine.items():
                tensor[index] = theirs[name]

    @classmethod
    def copied(cls, stack: Stack, index: Tensor | None = None, /) -> Weights:
        """A copy of what `stack` holds now, of all trials or those of `index`."""

        def copy(tensor: Tensor) -> Tensor:
            return tensor.detach().clone() if index is None else tensor.detach()[index]

        return cls(
            {name: copy(tensor) for name, tensor in stack.parameters.items()},
            {name: copy(tensor) for name, tensor in stack.buffers.items()},
        )


@dataclass(frozen=True)
class Fitted:
    """Trained trials, in the order they were given.

    Attributes
    ----------
    weights
        Final (with early stopping: best) parameters and buffers, the weighting's own included.
    losses : (S, epochs, T)
        Mean training loss of every epoch; NaN after a trial stopped.
    epochs, steps : (S,)
        Epochs and optimiser steps each trial took.
    finite : (S,) bool
        False for trials that diverged.
    """

    weights: Weights
    losses: np.ndarray
    epochs: np.ndarray
    steps: np.ndarray
    finite: np.ndarray


def fit(setup: Setup, trials: Sequence[Trial], start: Weights, /) -> Fitted:
    """Train `trials` from the weights `start` (S, ...), all at once."""
    run = _Run(setup, trials, start)
    for epoch in range(setup.work.training.epochs):
        run.epoch(epoch)
        if not run.finite[run.alive].any():
            break
    return run.finish()


class _Run:
    """A stack on its way through the epochs; it shrinks as trials stop."""

    def __init__(self, setup: Setup, trials: Sequence[Trial], start: Weights) -> None:
        self.setup, self.training = setup, setup.work.training
        lanes, device = len(trials), setup.device
        self.alive = list(range(lanes))
        self.orders, streams = orders_of(trials, setup.work.entropy)
        self.streams = streams.to(device)
        self.steps = Steps(setup, trials, start.parameters, start.buffers)
        stack = self.steps.stack
        self.best = Weights.copied(stack)
        self.best_loss = torch.full((lanes,), float("inf"), dtype=setup.dtype, device=device)
        self.waited = torch.zeros_like(self.best_loss)
        self.final = Weights.copied(stack)
        self.losses = np.full((lanes, self.training.epochs, setup.terms), np.nan)
        self.epochs = np.zeros(lanes, dtype=np.int64)
        self.taken = np.zeros(lanes, dtype=np.int64)
        self.finite = np.ones(lanes, dtype=bool)
        rows = setup.train.features.shape[0]
        self.sizes = _batch_sizes(rows, self.training.batch_size, setup.has_batch_norm)

    def epoch(self, epoch: int) -> None:
        """Train one epoch, then stop the trials that diverged or no longer improve."""
        visits = visits_of(self.setup.train, self.orders, self.streams)
        count = len(self.sizes)
        mean = self.steps.epoch(
            visits,
            self.sizes,
            rate(self.training, epoch),
            epoch * count,
            self.training.epochs * count,
        )
        at = np.flatnonzero(self.finite[self.alive])
        trials = np.asarray(self.alive)[at]
        self.losses[trials, epoch] = mean.cpu().numpy()[at]
        self.epochs[trials] += 1
        self.taken[trials] += count
        self.steps.epoch_end(mean)
        self.mark_diverged(mean)
        self.stop(self.exhausted())

    def mark_diverged(self, losses: Tensor) -> None:
        """Mark trials whose losses (S, T) or parameters are no longer finite.

        They stay in the stack: a smaller one could round their neighbours' sums differently.
        """
        finite = torch.isfinite(losses).all(1) & self.steps.stack.finite()
        self.finite[self.alive] &= finite.cpu().numpy()

    def exhausted(self) -> Tensor:
        """Which trials (S,) have not improved on validation for `patience` epochs."""
        if self.training.patience is None:
            return torch.zeros_like(self.waited, dtype=torch.bool)
        loss = self.validation_loss()
        better = loss < self.best_loss - self.training.min_delta
        self.best_loss = torch.where(better, loss, self.best_loss)
        self.waited = torch.where(better, 0.0, self.waited + 1)
        index = better.nonzero().squeeze(1)
        self.best.put(index, Weights.copied(self.steps.stack, index))
        # One that diverged stays, as ever.
        finite = torch.as_tensor(self.finite[self.alive], device=self.setup.device)
        return (self.waited >= self.training.patience) & finite

    def validation_loss(self) -> Tensor:
        """Mean loss (S,) of the main task on validation rows."""
        setup, stack = self.setup, self.steps.stack
        main, rows = setup.tasks[0], setup.validation
        output = predicted(setup, stack.parameters, stack.buffers, rows, [main.name])
        column = rows.batch(rows.table).columns[main.name]
        return row_losses(main, output, column.expand_as(output)).mean(-1)

    def stop(self, ended: Tensor) -> None:
        """Take the trials (S,) that have ended out of the stack and go on with the others."""
        if not bool(ended.any()):
            return
        self.put_final(ended.nonzero().squeeze(1))
        staying = (~ended).nonzero().squeeze(1)
        index = staying.tolist()
        self.alive = [self.alive[i] for i in index]
        if not self.alive:
            return
        self.steps.keep(staying)
        self.streams = self.streams[staying]
        self.best = self.best.rows(staying)
        self.best_loss, self.waited = self.best_loss[staying], self.waited[staying]

    def put_final(self, index: Tensor) -> None:
        """Keep what the trials of `index` (positions in the stack) end with."""
        early = self.training.patience is not None
        whole = torch.tensor([self.alive[i] for i in index.tolist()], device=self.setup.device)
        stack = self.steps.stack
        self.final.put(whole, self.best.rows(index) if early else Weights.copied(stack, index))

    def finish(self) -> Fitted:
        """The result, with the trials that ran to the last epoch."""
        if self.alive:
            self.put_final(torch.arange(len(self.alive), device=self.setup.device))
        return Fitted(self.final, self.losses, self.epochs, self.taken, self.finite)


def _batch_sizes(rows: int, size: int, has_batch_norm: bool) -> list[int]:
    """Rows of each step of an epoch; batch norm cannot use a last batch of a single row."""
    sizes = [min(size, rows - start) for start in range(0, rows, size)]
    return sizes[:-1] if has_batch_norm and len(sizes) > 1 and sizes[-1] == 1 else sizes
