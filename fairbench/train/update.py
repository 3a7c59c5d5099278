"""From one batch to the gradients of a stack: the three ways a weighting can want them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from fairbench.train.batch import Batch
from fairbench.train.lift import lift
from fairbench.train.losses import task_losses
from fairbench.train.stack import Stack
from fairbench.weighting import Step, Weighting

if TYPE_CHECKING:
    from fairbench.train.program import Tensors
    from fairbench.train.setup import Setup

__all__ = ["LEARNED", "Gradients", "Rules"]

LEARNED = "weighting."
"""Prefix of the weighting's own parameters within the stack."""

Fields = dict[str, Any]
"""The fields of a `Step` that are present, so that vmap sees tensors only."""


class Rules:
    """The method's losses and the weighting's rules, lifted from one trial to a stack.

    Lifting needs an example; each rule is lifted at its first call.
    """

    def __init__(self, setup: Setup) -> None:
        self._setup = setup
        self._lifted: dict[str, Callable[..., Any]] = {}

    def losses(
        self, outputs: dict[str, Tensor], batch: Batch, tradeoff: Tensor, /
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Losses (S, T) and signals (S, T) by name."""
        method, tasks = self._setup.method, self._setup.tasks
        from fairbench.train.network import NetworkMethod

        if type(method).losses is NetworkMethod.losses:
            return task_losses(tasks, outputs, batch), {}

        def one(
            outputs: dict[str, Tensor], columns: dict[str, Tensor], groups: Tensor, value: Tensor
        ) -> tuple[Tensor, dict[str, Tensor]]:
            result = method.losses(tasks, outputs, Batch(columns, groups, batch.shares), value)
            losses, signals = result if isinstance(result, tuple) else (result, {})
            return losses, dict(signals)

        return self._call("losses", one, outputs, dict(batch.columns), batch.groups, tradeoff)  # type: ignore[no-any-return]

    def objective(self, losses: Tensor, fields: Fields, /) -> tuple[Tensor, dict[str, Tensor]]:
        """Objective (S,) and next state."""
        rule = self._setup.weighting.objective
        if type(self._setup.weighting).objective is Weighting.objective:
            weights, state = self.weights(fields)
            return (weights * losses).sum(-1), state
        return self._call("objective", lambda x, f: _plain(rule(x, Step(**f))), losses, fields)  # type: ignore[no-any-return]

    def weights(self, fields: Fields, /) -> tuple[Tensor, dict[str, Tensor]]:
        """Weights (S, T) and next state."""
        rule = self._setup.weighting.weights
        with torch.no_grad():
            return self._call("weights", lambda f: _plain(rule(Step(**f))), fields)  # type: ignore[no-any-return]

    def trunk_scale(self, fields: Fields, /) -> Tensor:
        """Factors (S, T) on each task's gradient where it enters the trunk."""
        rule = self._setup.weighting.trunk_scale
        with torch.no_grad():
            return self._call("trunk_scale", lambda f: rule(Step(**f)), fields)  # type: ignore[no-any-return]

    def epoch_end(self, losses: Tensor, state: dict[str, Tensor], /) -> dict[str, Tensor]:
        """State after an epoch whose mean losses (S, T) are given."""
        rule = self._setup.weighting.epoch_end
        if type(self._setup.weighting).epoch_end is Weighting.epoch_end:
            return state
        return self._call("epoch_end", lambda x, s: dict(rule(x, s)), losses, state)  # type: ignore[no-any-return]

    def _call(self, name: str, function: Callable[..., Any], /, *arguments: Any) -> Any:
        if name not in self._lifted:
            self._lifted[name] = lift(function, arguments)
        return self._lifted[name](*arguments)


def _plain(result: tuple[Tensor, Mapping[str, Tensor]]) -> tuple[Tensor, dict[str, Tensor]]:
    return result[0], dict(result[1])


@dataclass
class Gradients:
    """Computes the gradients of one step into a stack.

    ``state`` is the weighting's, (S, ...) by name.
    """

    setup: Setup
    rules: Rules
    stack: Stack
    state: dict[str, Tensor]
    tradeoff: Tensor

    def __call__(
        self, tensors: Tensors, x: Tensor, table: Tensor, progress: float, noise: Tensor | None, /
    ) -> Tensor:
        """Fill ``stack.grad`` for features and table (S, batch, ...); return losses (S, T)."""
        self.stack.grad.zero_()
        batch = self.setup.train.batch(table)
        fields: Fields = {
            "tradeoff": self.tradeoff,
            "progress": torch.full_like(self.tradeoff, progress),
            "state": self.state,
            "parameters": {
                name.removeprefix(LEARNED): tensor
                for name, tensor in self.stack.parameters.items()
                if name.startswith(LEARNED)
            },
        }
        if noise is not None:
            fields["noise"] = noise
        weighting = self.setup.weighting
        if weighting.needs == "gramian":
            return self._by_gramian(tensors, x, batch, fields)
        if type(weighting).trunk_scale is not Weighting.trunk_scale:
            return self._by_task(tensors, x, batch, fields)
        return self._at_once(tensors, x, batch, fields)

    def _losses(
        self, outputs: dict[str, Tensor], batch: Batch, fields: Fields
    ) -> tuple[Tensor, Fields]:
        losses, signals = self.rules.losses(outputs, batch, self.tradeoff)
        signals = {name: signal.detach() for name, signal in signals.items()}
        return losses, {**fields, "losses": losses.detach(), "signals": signals}

    def _at_once(self, tensors: Tensors, x: Tensor, batch: Batch, fields: Fields) -> Tensor:
        """One backward pass of the weighted sum through everything."""
        hidden = self.setup.network.trunk(tensors, x, True)
        outputs = self.setup.network.outputs(tensors, hidden, True)
        losses, fields = self._losses(outputs, batch, fields)
        total, self.state = self.rules.objective(losses, fields)
        torch.autograd.backward(total.sum())
        return losses.detach()

    def _by_task(self, tensors: Tensors, x: Tensor, batch: Batch, fields: Fields) -> Tensor:
        """Each task's gradient is scaled where it enters the trunk, then one pass through it."""
        hidden = self.setup.network.trunk(tensors, x, True)
        entries = {name: hidden.detach().requires_grad_() for name in self.setup.network.heads}
        outputs = {
            name: head(tensors, entries[name], True)
            for name, head in self.setup.network.heads.items()
        }
        losses, fields = self._losses(outputs, batch, fields)
        total, self.state = self.rules.objective(losses, fields)
        torch.autograd.backward(total.sum())
        scale = self.rules.trunk_scale(fields)
        at_trunk = torch.zeros_like(hidden)
        for number, entry in enumerate(entries.values()):
            if entry.grad is not None:
                at_trunk.addcmul_(scale[:, number, None, None], entry.grad)
        torch.autograd.backward(hidden, at_trunk)
        return losses.detach()

    def _by_gramian(self, tensors: Tensors, x: Tensor, batch: Batch, fields: Fields) -> Tensor:
        """One pass through the trunk per loss; the rule weighs them by their inner products."""
        trunk, others = self._sides()
        hidden = self.setup.network.trunk(tensors, x, True)
        entry = hidden.detach().requires_grad_()
        losses, fields = self._losses(
            self.setup.network.outputs(tensors, entry, True), batch, fields
        )
        tasks = losses.shape[1]
        heads = [
            torch.autograd.grad(
                losses[:, task].sum(), [entry, *others], retain_graph=True, allow_unused=True
            )
            for task in range(tasks)
        ]
        zeros = torch.zeros_like(hidden)
        rows = [
            torch.autograd.grad(
                hidden,
                trunk,
                zeros if at_trunk is None else at_trunk,
                retain_graph=task < tasks - 1,
                allow_unused=True,
            )
            for task, (at_trunk, *_) in enumerate(heads)
        ]
        fields["gramian"] = _gramian(rows)
        weights, self.state = self.rules.weights(fields)
        _combine(trunk, rows, weights)
        _combine(others, [own for _, *own in heads], weights)
        return losses.detach()

    def _sides(self) -> tuple[list[Tensor], list[Tensor]]:
        """Parameters of the trunk, and of the heads."""
        items = self.stack.parameters.items()
        return (
            [tensor for name, tensor in items if name.startswith("trunk.")],
            [tensor for name, tensor in items if name.startswith("heads.")],
        )


def _gramian(rows: list[tuple[Tensor, ...]]) -> Tensor:
    """Inner products (S, T, T) of the tasks' gradients, summed over parameters."""
    total = None
    for gradients in zip(*rows, strict=True):
        present = [g for g in gradients if g is not None]
        if not present:
            continue
        stacked = torch.stack(
            [torch.zeros_like(present[0]) if g is None else g for g in gradients], dim=1
        ).flatten(2)
        product = torch.bmm(stacked, stacked.mT)
        total = product if total is None else total + product
    assert total is not None, "a trunk without parameters has no gradients to weigh"
    return total


def _combine(parameters: list[Tensor], rows: Any, weights: Tensor) -> None:
    """Set each parameter's gradient to the weighted sum of the tasks' gradients."""
    for number, parameter in enumerate(parameters):
        for task, row in enumerate(rows):
            if row[number] is not None:
                weight = weights[:, task].view(-1, *[1] * (parameter.dim() - 1))
                assert parameter.grad is not None
                parameter.grad.addcmul_(weight, row[number])
