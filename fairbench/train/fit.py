"""The training loop of a stack: epochs, early stopping, divergence, and what is recorded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from fairbench.method import Trial
from fairbench.train.batch import orders_of, visits_of
from fairbench.train.engine import Engine
from fairbench.train.losses import row_losses
from fairbench.train.prepared import Prepared
from fairbench.train.schedule import learning_rate
from fairbench.train.steps import Steps
from fairbench.train.weights import Weights

__all__ = ["Fitted", "fit"]


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


def fit(prepared: Prepared, engine: Engine, trials: Sequence[Trial], start: Weights, /) -> Fitted:
    """Train `trials` from the weights `start` (S, ...), all at once."""
    fitting = Fitting(prepared, engine, trials, start)
    for epoch in range(prepared.work.training.epochs):
        fitting.epoch(epoch)
        if not fitting.finite[fitting.alive].any():
            break
    return fitting.finish()


class Fitting:
    """A stack on its way through the epochs; it shrinks as trials stop."""

    def __init__(
        self, prepared: Prepared, engine: Engine, trials: Sequence[Trial], start: Weights, /
    ) -> None:
        self.prepared, self.engine, self.training = prepared, engine, prepared.work.training
        lanes, device = len(trials), prepared.device
        self.alive = list(range(lanes))
        self.orders, streams = orders_of(trials, prepared.work.entropy)
        self.streams = streams.to(device)
        self.steps = Steps(prepared, engine, trials, start)
        stack = self.steps.stack
        self.best = Weights.copied(stack)
        self.best_loss = torch.full((lanes,), float("inf"), dtype=prepared.dtype, device=device)
        self.waited = torch.zeros_like(self.best_loss)
        self.final = Weights.copied(stack)
        self.losses = np.full((lanes, self.training.epochs, prepared.terms), np.nan)
        self.epochs = np.zeros(lanes, dtype=np.int64)
        self.taken = np.zeros(lanes, dtype=np.int64)
        self.finite = np.ones(lanes, dtype=bool)
        rows = prepared.train.features.shape[0]
        self.sizes = _batch_sizes(rows, self.training.batch_size, prepared.module.has_batch_norm)

    def epoch(self, epoch: int) -> None:
        """Train one epoch, then stop the trials that diverged or no longer improve."""
        visits = visits_of(self.prepared.train, self.orders, self.streams)
        count = len(self.sizes)
        mean = self.steps.epoch(
            visits,
            self.sizes,
            learning_rate(self.training, epoch),
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
        """Return which trials (S,) have not improved on validation for `patience` epochs."""
        if self.training.patience is None:
            return torch.zeros_like(self.waited, dtype=torch.bool)
        loss = self.validation_loss()
        better = loss < self.best_loss - self.training.min_delta
        self.best_loss = torch.where(better, loss, self.best_loss)
        self.waited = torch.where(better, 0.0, self.waited + 1)
        index = better.nonzero().squeeze(1)
        self.best.put(index, Weights.copied(self.steps.stack, index))
        # One that diverged stays, as ever.
        finite = torch.as_tensor(self.finite[self.alive], device=self.prepared.device)
        return (self.waited >= self.training.patience) & finite

    def validation_loss(self) -> Tensor:
        """Return the mean loss (S,) of the main task on validation rows."""
        main, rows = self.prepared.tasks[0], self.prepared.validation
        output = self.engine.predict(Weights.of(self.steps.stack), rows, [main.name])
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
        self.best = self.best.take(staying)
        self.best_loss, self.waited = self.best_loss[staying], self.waited[staying]

    def put_final(self, index: Tensor) -> None:
        """Keep what the trials of `index` (positions in the stack) end with."""
        early = self.training.patience is not None
        whole = torch.tensor([self.alive[i] for i in index.tolist()], device=self.prepared.device)
        stack = self.steps.stack
        self.final.put(whole, self.best.take(index) if early else Weights.copied(stack, index))

    def finish(self) -> Fitted:
        """Return the result, with the trials that ran to the last epoch."""
        if self.alive:
            self.put_final(torch.arange(len(self.alive), device=self.prepared.device))
        return Fitted(self.final, self.losses, self.epochs, self.taken, self.finite)


def _batch_sizes(rows: int, size: int, has_batch_norm: bool) -> list[int]:
    """Return the rows of each step; batch normalisation leaves out a last batch of one row."""
    sizes = [min(size, rows - start) for start in range(0, rows, size)]
    return sizes[:-1] if has_batch_norm and len(sizes) > 1 and sizes[-1] == 1 else sizes
