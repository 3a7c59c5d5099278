"""What computes the steps of a stack: the network, its losses and the optimiser together.

A step looks at a batch and then learns from it with the weights that a weighting gave, which
lies in between. Torch's operations do this for any model and device; a chain of common layers on
a CPU has a compiled kernel.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from fairbench.train.batch import Visits
from fairbench.train.chain import TaskGradients
from fairbench.train.dropout import Draws
from fairbench.train.losses import ClosedLosses, GivenLosses
from fairbench.train.net import ByAutograd, gramian, jacobian
from fairbench.train.network import NetworkMethod
from fairbench.train.optimizer import Optimizer, clip_lanes
from fairbench.train.rules import Rules
from fairbench.train.stack import Stack

if TYPE_CHECKING:
    from fairbench.train.setup import Setup

__all__ = ["Adopted", "Beginning", "Engine", "TorchEngine", "has_closed_losses", "loss_scales"]


@dataclass(frozen=True)
class Beginning:
    """What an engine starts from, for S trials.

    Attributes
    ----------
    parameters, buffers
        (S, …) by name, the weighting's own parameters included.
    tradeoff : (S,)
        Trade-off values.
    factors
        Each trial's learning rate as a multiple of the study's.
    masks
        Draws of the dropout masks.
    """

    parameters: Mapping[str, Tensor]
    buffers: Mapping[str, Tensor]
    tradeoff: Tensor
    factors: Sequence[float]
    masks: Draws


@dataclass(frozen=True, slots=True)
class Adopted:
    """A weighting's rule in the hands of an engine.

    Attributes
    ----------
    state
        Where its state (S, …) stands, by name.
    learn
        Like `Engine.learn_all` with the weights of the rule, in a training of so many steps:
        from visits, sizes, the learning rate and that number.
    """

    state: Mapping[str, Tensor]
    learn: Callable[[Visits, Sequence[int], float, int], Tensor]


class Engine(ABC):
    """The trials of one stack, in training.

    Attributes
    ----------
    stack
        Their parameters.
    """

    stack: Stack

    @abstractmethod
    def look(self, visits: Visits, start: int, rows: int, /) -> tuple[Tensor, dict[str, Tensor]]:
        """Losses (S, T) of the batch that begins at row `start`, and signals (S, T) by name."""

    @abstractmethod
    def gramian(self) -> Tensor:
        """Inner products (S, T, T) of the losses' gradients in the trunk."""

    @abstractmethod
    def learn(self, weights: Tensor, lr: float, trunk_weights: Tensor | None = None, /) -> None:
        """Step down the sum of the losses with `weights` (S, T).

        The trunk may have other weights than the heads.
        """

    @abstractmethod
    def learn_combined(self, weights: Tensor, lr: float, /) -> None:
        """The same step from the gradients that `gramian` compared."""

    def jacobian(self) -> Tensor:
        """The losses' gradients in the trunk (S, T, P); only some engines have them apart."""
        raise NotImplementedError

    def learn_along(self, direction: Tensor, weights: Tensor, lr: float, /) -> None:
        """Step with `direction` (S, P) as the trunk's gradient, and `weights` (S, T) for heads."""
        raise NotImplementedError

    def look_again(self) -> Tensor:
        """Losses (S, T) of the batch that was looked at last, with the parameters as they are.

        With the same dropout; running statistics stay as they are.
        """
        raise NotImplementedError

    def learn_all(
        self, visits: Visits, sizes: Sequence[int], weights: Tensor, lr: float, /
    ) -> Tensor:
        """Steps over batches of these sizes; sums (S, T) of every loss times its batch's rows."""
        total, start = torch.zeros_like(weights), 0
        for rows in sizes:
            losses, _ = self.look(visits, start, rows)
            self.learn(weights, lr)
            total.add_(losses, alpha=rows)
            start += rows
        return total

    def adopt(self, state: Mapping[str, Tensor], noise: Draws, /) -> Adopted | None:
        """Take over the weighting's rule with its state (S, …) by name and its noise.

        None where that cannot be. What is returned holds until the stack changes.
        """
        return None

    @abstractmethod
    def keep(self, index: Tensor, /) -> None:
        """Go on with the trials of `index` only."""


def has_closed_losses(method: NetworkMethod, /) -> bool:
    """Whether its losses are the default ones but for factors."""
    return type(method).losses is NetworkMethod.losses


def loss_scales(rules: Rules, method: NetworkMethod, tradeoff: Tensor, /) -> Tensor | None:
    """Factors (S, T) on the default losses, or None for 1."""
    plain = type(method).loss_scales is NetworkMethod.loss_scales
    return None if plain else rules.loss_scales(tradeoff)


class TorchEngine(Engine):
    """By torch's operations, for any model on any device."""

    def __init__(self, setup: Setup, rules: Rules, begin: Beginning, /) -> None:
        self._setup, self._rules, self._tradeoff = setup, rules, begin.tradeoff
        self._net = setup.net()
        self._masks = begin.masks
        self.stack = Stack.of(begin.parameters, begin.buffers, setup.blocks(begin.parameters))
        self._optimizer = Optimizer(self.stack, setup.work.training, begin.factors)
        self._losses = self._read_losses()
        self._rows: TaskGradients = []
        self._masked: dict[str, Tensor] = {}
        self._batch = begin.tradeoff, begin.tradeoff

    def _read_losses(self) -> ClosedLosses | GivenLosses:
        setup, method = self._setup, self._setup.method
        if has_closed_losses(method):
            scales = loss_scales(self._rules, method, self._tradeoff)
            return ClosedLosses(setup.tasks, scales, self._tradeoff)
        return GivenLosses(setup.tasks, self._rules, setup.train, self._tradeoff)

    def look(self, visits: Visits, start: int, rows: int, /) -> tuple[Tensor, dict[str, Tensor]]:
        x, table = visits.batch(start, rows)
        masks = self._masks.next() if self._masks.shapes else {}
        self._masked = {name: mask[:, :rows] for name, mask in masks.items()}
        self._batch = x, table
        return self._losses(self._net.forward(self.stack, self._masked, x), table)

    def look_again(self) -> Tensor:
        x, table = self._batch
        before = {name: buffer.clone() for name, buffer in self.stack.buffers.items()}
        losses, _ = self._losses(self._net.forward(self.stack, self._masked, x), table)
        for name, buffer in self.stack.buffers.items():
            buffer.copy_(before[name])
        return losses

    def gramian(self) -> Tensor:
        self._rows = self._net.trunk_rows(self._losses.each())
        if self._rows:
            return gramian(self._rows)
        terms = self._setup.terms
        return self._tradeoff.new_zeros(self.stack.lanes, terms, terms)

    def jacobian(self) -> Tensor:
        self._rows = self._net.trunk_rows(self._losses.each())
        if self._rows:
            return jacobian(self._rows)
        return self._tradeoff.new_zeros(self.stack.lanes, self._setup.terms, 0)

    def learn_along(self, direction: Tensor, weights: Tensor, lr: float, /) -> None:
        assert isinstance(self._net, ByAutograd)
        self._net.backward_along(self._losses.pulled(weights), direction)
        self._update(lr)

    def learn(self, weights: Tensor, lr: float, trunk_weights: Tensor | None = None, /) -> None:
        at_trunk = None if trunk_weights is None else self._losses.pulled(trunk_weights)
        self._net.backward(self._losses.pulled(weights), at_trunk)
        self._update(lr)

    def learn_combined(self, weights: Tensor, lr: float, /) -> None:
        self._net.backward_rows(self._losses.pulled(weights), self._rows, weights)
        self._update(lr)

    def _update(self, lr: float) -> None:
        most = self._setup.work.training.clip_norm
        if most is not None:
            clip_lanes(self.stack, most)
        self._optimizer.step(lr)

    def keep(self, index: Tensor, /) -> None:
        self.stack = self.stack.kept(index)
        self._optimizer = self._optimizer.kept(self.stack, index)
        self._tradeoff = self._tradeoff[index]
        self._masks.keep(index.tolist())
        self._losses = self._read_losses()
