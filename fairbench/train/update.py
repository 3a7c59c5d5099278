"""From one batch to the gradients of a stack: the three ways a weighting can want them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from fairbench.train.losses import ClosedLosses
from fairbench.train.net import gramian
from fairbench.train.network import NetworkMethod
from fairbench.train.rules import LEARNED, Fields, Rules, is_constant
from fairbench.train.stack import Stack
from fairbench.weighting import Weighting

if TYPE_CHECKING:
    from fairbench.train.program import Tensors
    from fairbench.train.setup import Setup

__all__ = ["Gradients"]


@dataclass(frozen=True)
class _Losses:
    """Losses (S, T) of one step, and how they reach the outputs.

    `pulled` maps weights (S, T) to the gradient (S, batch, widths) of the weighted sum at the
    outputs; `each` gives the gradient (S, batch, widths) of every loss.
    """

    values: Tensor
    signals: dict[str, Tensor]
    pulled: Callable[[Tensor], Tensor]
    each: Callable[[], list[Tensor]]


class Gradients:
    """Computes the gradients of one step into a stack.

    Attributes
    ----------
    stack
        The trials in training.
    state
        The weighting's, (S, ...) by name.
    """

    def __init__(
        self, setup: Setup, stack: Stack, state: dict[str, Tensor], tradeoff: Tensor, /
    ) -> None:
        self.stack, self.state = stack, state
        self._setup, self._tradeoff = setup, tradeoff
        self._net, self._rules = setup.net(), Rules(setup)
        rule = type(setup.weighting)
        self._scales_trunk = rule.trunk_scale is not Weighting.trunk_scale
        self._is_constant = is_constant(rule)
        self._begin()

    def _begin(self) -> None:
        """Work out what holds as long as the stack stays as it is."""
        method, tasks = self._setup.method, self._setup.tasks
        self._closed = None
        if type(method).losses is NetworkMethod.losses:
            plain = type(method).loss_scales is NetworkMethod.loss_scales
            scales = None if plain else self._rules.loss_scales(self._tradeoff)
            self._closed = ClosedLosses(tasks, scales, self._tradeoff)
        self._constant: Tensor | None = None
        self._own = {
            name.removeprefix(LEARNED): tensor.detach()
            for name, tensor in self.stack.parameters.items()
            if name.startswith(LEARNED)
        }

    def keep(self, stack: Stack, index: Tensor, /) -> None:
        """Go on with `stack`, which holds the trials of `index` only."""
        self.stack = stack
        self._tradeoff = self._tradeoff[index]
        self.state = {name: tensor[index] for name, tensor in self.state.items()}
        self._begin()

    def epoch_end(self, losses: Tensor, /) -> None:
        """Tell the weighting the mean losses (S, T) of an epoch."""
        with torch.no_grad():
            self.state = self._rules.epoch_end(losses, self.state)
        self._constant = None

    def __call__(
        self, x: Tensor, table: Tensor, masks: Tensors, progress: float, noise: Tensor | None, /
    ) -> Tensor:
        """Fill ``stack.grad`` for features and table (S, batch, ...); return losses (S, T)."""
        losses = self._losses(self._net.forward(self.stack, masks, x), table)
        if self._is_constant:
            if self._constant is None:
                self._constant, _ = self._rules.weights(self._fields(losses, progress, noise))
            self._net.backward(losses.pulled(self._constant))
        elif self._setup.weighting.needs == "gramian":
            self._by_gramian(losses, self._fields(losses, progress, noise))
        else:
            self._by_objective(losses, self._fields(losses, progress, noise))
        return losses.values

    def _losses(self, output: Tensor, table: Tensor) -> _Losses:
        setup, closed = self._setup, self._closed
        if closed is not None:
            values, residual = closed(output, table[..., : output.shape[-1]])
            return _Losses(
                values,
                {},
                lambda weights: closed.at_outputs(residual, weights),
                lambda: closed.each_at_outputs(residual),
            )
        leaf = output.detach().requires_grad_()
        parts = torch.split(leaf, [task.width for task in setup.tasks], dim=-1)
        outputs = {task.name: part for task, part in zip(setup.tasks, parts, strict=True)}
        losses, signals = self._rules.losses(outputs, setup.train.batch(table), self._tradeoff)

        def pulled(weights: Tensor) -> Tensor:
            (slope,) = torch.autograd.grad(losses, leaf, weights, retain_graph=True)
            return slope

        def each() -> list[Tensor]:
            tasks = torch.eye(losses.shape[1], dtype=losses.dtype, device=losses.device)
            return [pulled(one.expand_as(losses)) for one in tasks]

        detached = {name: signal.detach().clone() for name, signal in signals.items()}
        return _Losses(losses.detach(), detached, pulled, each)

    def _fields(self, losses: _Losses, progress: float, noise: Tensor | None) -> Fields:
        fields: Fields = {
            "losses": losses.values,
            "signals": losses.signals,
            "tradeoff": self._tradeoff,
            "progress": torch.full_like(self._tradeoff, progress),
            "state": self.state,
            "parameters": self._own,
        }
        return fields if noise is None else {**fields, "noise": noise}

    def _by_objective(self, losses: _Losses, fields: Fields) -> None:
        """One backward pass; a task's gradient may be scaled where it enters the trunk."""
        weights = self._objective_weights(fields)
        at_outputs = losses.pulled(weights)
        at_trunk = None
        if self._scales_trunk:
            at_trunk = losses.pulled(weights * self._rules.trunk_scale(fields))
        self._net.backward(at_outputs, at_trunk)

    def _objective_weights(self, fields: Fields) -> Tensor:
        """The objective's gradient (S, T) in the losses; its own parameters' is written."""
        if type(self._setup.weighting).objective is Weighting.objective:
            weights, self.state = self._rules.weights(fields)
            return weights
        weights, own, self.state = self._rules.slopes(fields)
        for name, gradient in own.items():
            self.stack.slots[LEARNED + name].copy_(gradient)
        return weights

    def _by_gramian(self, losses: _Losses, fields: Fields) -> None:
        """One pass through the trunk per loss; the rule weighs them by their inner products."""
        rows = self._net.trunk_rows(losses.each())
        terms = losses.values.shape[1]
        fields["gramian"] = (
            gramian(rows) if rows else losses.values.new_zeros(self.stack.lanes, terms, terms)
        )
        weights, self.state = self._rules.weights(fields)
        self._net.backward_rows(losses.pulled(weights), rows, weights)
