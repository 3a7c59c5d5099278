"""Rows on the training device, and the order in which each trial visits them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from fairbench.fold import Fold, Part
from fairbench.method import Trial
from fairbench.model import Task
from fairbench.seeds import order_seed

__all__ = ["Batch", "Rows", "Visits", "orders_of", "rows_of", "visits_of"]


@dataclass(frozen=True, slots=True)
class Batch:
    """The rows of one step, as a method's losses see them.

    Written for one trial: shapes below without the leading dots. The engine may call with the
    trials as leading dimension; a loss that reduces over the last two dimensions serves both.

    Attributes
    ----------
    columns : (..., batch, width)
        What each task predicts, by task name: the standardised column (regression), 0/1
        (binary) or one-hot classes (categorical).
    groups : (..., batch, groups)
        One-hot membership in the groups of the first protected attribute.
    shares : (groups,)
        Share of each group among the training rows.
    """

    columns: Mapping[str, Tensor]
    groups: Tensor
    shares: Tensor


@dataclass(frozen=True, slots=True)
class Rows:
    """All rows of one part: features (n, d), `Batch.columns` and `Batch.groups` in one table."""

    features: Tensor
    table: Tensor
    widths: Mapping[str, int]
    shares: Tensor

    def batch(self, table: Tensor, /) -> Batch:
        """Return rows (..., batch, all widths) of `table` as a batch."""
        *columns, groups = torch.split(table, [*self.widths.values(), self.shares.numel()], dim=-1)
        return Batch(dict(zip(self.widths, columns, strict=True)), groups, self.shares)


def rows_of(
    fold: Fold, part: Part, tasks: Sequence[Task], dtype: torch.dtype, device: torch.device, /
) -> Rows:
    """Return the rows of `part` under `fold`, for a network with these `tasks`."""

    def tensor(array: np.ndarray) -> Tensor:
        return torch.as_tensor(array, dtype=dtype, device=device)

    attribute = fold.protected(part)
    everyone = np.eye(len(attribute.labels))
    columns = {task.name: _column(fold, part, task) for task in tasks}
    table = np.concatenate([*columns.values(), everyone[attribute.groups]], axis=1)
    shares = everyone[fold.protected("train").groups].mean(axis=0)
    widths = {name: column.shape[1] for name, column in columns.items()}
    return Rows(tensor(fold.features(part)), tensor(table), widths, tensor(shares))


def _column(fold: Fold, part: Part, task: Task) -> np.ndarray:
    source, index = task.column
    if source == "target":
        return fold.targets(part)[:, [index]]
    attribute = fold.protected(part, index)
    if task.kind == "categorical":
        return np.eye(task.width)[attribute.groups]
    if task.kind == "binary" or not task.scaled:
        return attribute.values[:, None]
    mean, scale = fold.protected_scale(index)
    return (attribute.values[:, None] - mean) / scale


@dataclass(frozen=True, slots=True)
class Visits:
    """All rows in the orders of one epoch.

    Attributes
    ----------
    features, table : (orders, n, …)
        As in `Rows`.
    streams : (S,)
        Which order each trial follows.
    """

    features: Tensor
    table: Tensor
    streams: Tensor

    def batch(self, start: int, rows: int, /) -> tuple[Tensor, Tensor]:
        """Return features (S, rows, d) and table (S, rows, widths) of a step.

        With a single order the trials share one copy.
        """
        x = self.features[:, start : start + rows]
        table = self.table[:, start : start + rows]
        if x.shape[0] > 1:
            return x[self.streams], table[self.streams]
        lanes = self.streams.numel()
        return x.expand(lanes, -1, -1), table.expand(lanes, -1, -1)


def visits_of(rows: Rows, orders: Sequence[np.random.Generator], streams: Tensor, /) -> Visits:
    """Return `rows` in a fresh permutation from each of `orders`."""
    n = rows.features.shape[0]
    index = torch.as_tensor(np.stack([order.permutation(n) for order in orders]))
    index = index.to(rows.features.device)
    return Visits(rows.features[index], rows.table[index], streams)


def orders_of(trials: Sequence[Trial], entropy: int, /) -> tuple[list[np.random.Generator], Tensor]:
    """Return a generator per distinct order seed of `trials`, and which one each trial follows."""
    seeds = [order_seed(entropy, trial) for trial in trials]
    distinct = list(dict.fromkeys(seeds))
    generators = [np.random.Generator(np.random.PCG64(seed)) for seed in distinct]
    return generators, torch.as_tensor([distinct.index(seed) for seed in seeds])
