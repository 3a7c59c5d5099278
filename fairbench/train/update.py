"""From one batch to the gradients of a stack: the three ways a weighting can want them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from fairbench.train.losses import sloped_losses
from fairbench.train.network import NetworkMethod
from fairbench.train.rules import LEARNED, Fields, Rules
from fairbench.train.stack import Stack
from fairbench.weighting import Weighting

if TYPE_CHECKING:
    from fairbench.train.net import Net
    from fairbench.train.program import Tensors
    from fairbench.train.setup import Setup

__all__ = ["Gradients"]


@dataclass(frozen=True)
class _Losses:
    """Losses (S, T) of one step, and how a weighting of them reaches the outputs.

    `pulled` maps weights (S, T) to the gradient (S, batch, widths) of the weighted sum at the
    outputs, in memory of its own.
    """

    values: Tensor
    signals: dict[str, Tensor]
    pulled: Callable[[Tensor], Tensor]


@dataclass
class Gradients:
    """Computes the gradients of one step into a stack.

    ``state`` is the weighting's, (S, ...) by name.
    """

    setup: Setup
    net: Net
    rules: Rules
    stack: Stack
    state: dict[str, Tensor]
    tradeoff: Tensor

    def __call__(
        self, tensors: Tensors, x: Tensor, table: Tensor, progress: float, noise: Tensor | None, /
    ) -> Tensor:
        """Fill ``stack.grad`` for features and table (S, batch, ...); return losses (S, T)."""
        losses = self._losses(self.net.forward(tensors, x), table)
        fields = self._fields(losses, progress, noise)
        if self.setup.weighting.needs == "gramian":
            self._by_gramian(losses, fields)
        else:
            self._by_objective(losses, fields)
        return losses.values

    def _losses(self, output: Tensor, table: Tensor) -> _Losses:
        setup = self.setup
        if type(setup.method).losses is NetworkMethod.losses:
            columns = table[..., : output.shape[-1]]
            values, slopes = sloped_losses(setup.tasks, output, columns)
            return _Losses(values, {}, lambda weights: slopes * self._per_column(weights))
        leaf = output.requires_grad_()
        parts = torch.split(leaf, [task.width for task in setup.tasks], dim=-1)
        outputs = {task.name: part for task, part in zip(setup.tasks, parts, strict=True)}
        losses, signals = self.rules.losses(outputs, setup.train.batch(table), self.tradeoff)

        def pulled(weights: Tensor) -> Tensor:
            (slope,) = torch.autograd.grad(losses, leaf, weights, retain_graph=True)
            return slope

        detached = {name: signal.detach() for name, signal in signals.items()}
        return _Losses(losses.detach(), detached, pulled)

    def _fields(self, losses: _Losses, progress: float, noise: Tensor | None) -> Fields:
        fields: Fields = {
            "losses": losses.values,
            "signals": losses.signals,
            "tradeoff": self.tradeoff,
            "progress": torch.full_like(self.tradeoff, progress),
            "state": self.state,
            "parameters": {
                name.removeprefix(LEARNED): tensor
                for name, tensor in self.stack.parameters.items()
                if name.startswith(LEARNED)
            },
        }
        return fields if noise is None else {**fields, "noise": noise}

    def _by_objective(self, losses: _Losses, fields: Fields) -> None:
        """One backward pass; a task's gradient may be scaled where it enters the trunk."""
        at_outputs = losses.pulled(self._objective_weights(losses, fields))
        slots = self.stack.slots
        at_hidden = self.net.through_heads(at_outputs, slots)
        if type(self.setup.weighting).trunk_scale is not Weighting.trunk_scale:
            scaled = at_outputs * self._per_column(self.rules.trunk_scale(fields))
            at_hidden = self.net.through_heads(scaled, None)
        self.net.through_trunk(at_hidden, slots)

    def _objective_weights(self, losses: _Losses, fields: Fields) -> Tensor:
        """The objective's gradient (S, T) in the losses; its own parameters' is written."""
        if type(self.setup.weighting).objective is Weighting.objective:
            weights, self.state = self.rules.weights(fields)
            return weights
        leaf = losses.values.clone().requires_grad_()
        with torch.enable_grad():
            total, self.state = self.rules.objective(leaf, fields)
        learned = {LEARNED + name: tensor for name, tensor in fields["parameters"].items()}
        weights, *own = torch.autograd.grad(total.sum(), [leaf, *learned.values()])
        for name, gradient in zip(learned, own, strict=True):
            self.stack.slots[name].copy_(gradient)
        return weights

    def _by_gramian(self, losses: _Losses, fields: Fields) -> None:
        """One pass through the trunk per loss; the rule weighs them by their inner products."""
        terms = losses.values.shape[1]
        rows = [self._trunk_row(losses, term) for term in range(terms)]
        fields["gramian"] = _gramian(rows)
        weights, self.state = self.rules.weights(fields)
        self.net.through_heads(losses.pulled(weights), self.stack.slots)
        for name in rows[0]:
            lanes = weights.view(-1, terms, *[1] * (rows[0][name].dim() - 1))
            torch.mul(rows[0][name], lanes[:, 0], out=self.stack.slots[name])
            for term in range(1, terms):
                self.stack.slots[name].addcmul_(rows[term][name], lanes[:, term])

    def _trunk_row(self, losses: _Losses, term: int) -> dict[str, Tensor]:
        """Gradient of one loss in the trunk's parameters, by name."""
        only = torch.zeros_like(losses.values)
        only[:, term] = 1
        into = {
            name: torch.empty_like(slot)
            for name, slot in self.stack.slots.items()
            if name.startswith("trunk.")
        }
        self.net.through_trunk(self.net.through_heads(losses.pulled(only), None), into)
        return into

    def _per_column(self, weights: Tensor) -> Tensor:
        """Weights (S, T) of the tasks as (S, 1, widths), one for each column of the outputs."""
        return weights[:, self.setup.column_task].unsqueeze(1)


def _gramian(rows: list[dict[str, Tensor]]) -> Tensor:
    """Inner products (S, T, T) of the tasks' gradients, summed over parameters."""
    flat = [torch.cat([g.flatten(1) for g in row.values()], dim=1) for row in rows]
    stacked = torch.stack(flat, dim=1)
    return torch.bmm(stacked, stacked.mT)
