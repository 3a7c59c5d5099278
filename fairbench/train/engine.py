"""What an engine is: it trains the trials of a stack step by step, and predicts with weights.

A training step is a forward pass, the weighting's answer to its losses, and a backward pass with
an update. The answer lies in between and is no engine's business, unless an engine takes the
weighting's rule over to compute it itself.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from fairbench.train.batch import Rows, Visits
from fairbench.train.draws import Draws
from fairbench.train.rules import Rules
from fairbench.train.stack import Stack
from fairbench.train.weights import Weights

__all__ = ["Engine", "Learner", "Start"]


@dataclass(frozen=True)
class Start:
    """What the training of S trials starts from.

    Attributes
    ----------
    weights
        Those of the networks, and the weighting's own parameters.
    tradeoff : (S,)
        Trade-off values.
    rate_factors
        Each trial's learning rate as a multiple of the study's.
    masks
        Draws of the dropout masks.
    """

    weights: Weights
    tradeoff: Tensor
    rate_factors: Sequence[float]
    masks: Draws


class Learner(ABC):
    """The trials of one stack, in training.

    Attributes
    ----------
    stack
        Their parameters.
    """

    stack: Stack

    @abstractmethod
    def forward(self, visits: Visits, start: int, rows: int, /) -> tuple[Tensor, dict[str, Tensor]]:
        """Return losses (S, T) of the batch that begins at row `start`, and signals by name."""

    @abstractmethod
    def gramian(self) -> Tensor:
        """Return inner products (S, T, T) of the last losses' gradients in the trunk."""

    @abstractmethod
    def learn(self, weights: Tensor, lr: float, trunk_weights: Tensor | None = None, /) -> None:
        """Pass back the sum of the last losses with `weights` (S, T), and update.

        The trunk may have other weights than the heads.
        """

    @abstractmethod
    def learn_combined(self, weights: Tensor, lr: float, /) -> None:
        """Do the same from the gradients that `gramian` compared."""

    def jacobian(self) -> Tensor:
        """Return the last losses' gradients (S, T, P) in the trunk, parameter after parameter."""
        raise NotImplementedError  # engines that keep no gradients apart are never asked

    def learn_along(self, direction: Tensor, weights: Tensor, lr: float, /) -> None:
        """Update along `direction` (S, P) in the trunk, and pass `weights` (S, T) to the heads.

        Coordinates are those of `jacobian`.
        """
        raise NotImplementedError  # as above

    def forward_again(self) -> Tensor:
        """Return losses (S, T) of the last batch with the parameters as they are now.

        Dropout is the same, and running statistics stay as they are.
        """
        raise NotImplementedError  # as above

    def learn_all(
        self, visits: Visits, sizes: Sequence[int], weights: Tensor, lr: float, /
    ) -> Tensor:
        """Take steps over batches of these sizes; return sums (S, T) of every loss times rows."""
        total, start = torch.zeros_like(weights), 0
        for rows in sizes:
            losses, _ = self.forward(visits, start, rows)
            self.learn(weights, lr)
            total.add_(losses, alpha=rows)
            start += rows
        return total

    def take_rule(self, state: Mapping[str, Tensor], noise: Draws, /) -> dict[str, Tensor] | None:
        """Take over the weighting's rule with its state (S, …) by name and its noise.

        Returns where the state stands from now on, until the stack changes; None where the rule
        is left to the caller.
        """
        return None

    def learn_by_rule(
        self, visits: Visits, sizes: Sequence[int], lr: float, planned: int, /
    ) -> Tensor:
        """Do as `learn_all` does, with the weights of the rule that was taken over.

        `planned` is the number of steps of the whole training.
        """
        raise NotImplementedError  # an engine that takes no rule is never asked

    @abstractmethod
    def keep(self, index: Tensor, /) -> None:
        """Go on with the trials of `index` only."""


class Engine(ABC):
    """What computes the trials of one chunk."""

    @abstractmethod
    def learner(self, rules: Rules, start: Start, /) -> Learner:
        """Begin the training of a stack of trials."""

    @abstractmethod
    def predict(self, weights: Weights, rows: Rows, heads: Sequence[str], /) -> Tensor:
        """Return outputs (S, n, widths) of these heads, side by side, for all `rows`."""
