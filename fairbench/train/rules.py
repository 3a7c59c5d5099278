"""A method's losses and its weighting's rules, lifted from one trial to a stack."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from fairbench.errors import first_line
from fairbench.model import Task
from fairbench.train.batch import Batch
from fairbench.train.lift import lift
from fairbench.train.recipe import Recipe, has_own_scales
from fairbench.weighting import Step, Weighting

__all__ = [
    "Fields",
    "Rules",
    "has_slopes",
    "is_constant",
    "looks_again",
    "reads_gradients",
]

Fields = dict[str, Any]
"""The fields of a `Step` that are present, so that vmap sees tensors only."""


class Rules:
    """The losses of `recipe` and the rule of `weighting`, for the trials of one stack.

    Each function is lifted at its first call, which serves as the example that lifting needs.
    Where one is called trial by trial, `notes` get a line on why.
    """

    def __init__(
        self, recipe: Recipe, tasks: Sequence[Task], weighting: Weighting, notes: list[str], /
    ) -> None:
        self._recipe, self._tasks, self._weighting = recipe, tasks, weighting
        self._notes = notes
        self._lifted: dict[str, Callable[..., Any]] = {}

    def losses(
        self, outputs: dict[str, Tensor], batch: Batch, tradeoff: Tensor, /
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Return losses (S, T), and signals (S, T) by name."""
        recipe, tasks = self._recipe, self._tasks

        def one(
            outputs: dict[str, Tensor], columns: dict[str, Tensor], groups: Tensor, value: Tensor
        ) -> tuple[Tensor, dict[str, Tensor]]:
            result = recipe.losses(tasks, outputs, Batch(columns, groups, batch.shares), value)
            losses, signals = result if isinstance(result, tuple) else (result, {})
            return losses, dict(signals)

        found: tuple[Tensor, dict[str, Tensor]] = self._call(
            "losses", one, outputs, dict(batch.columns), batch.groups, tradeoff
        )
        return found

    def loss_scales(self, tradeoff: Tensor, /) -> Tensor | None:
        """Return factors (S, T) on the default losses, or None for 1."""
        if not has_own_scales(self._recipe):
            return None
        recipe, tasks = self._recipe, self._tasks
        scales: Tensor = self._call(
            "loss_scales", lambda value: recipe.loss_scales(tasks, value), tradeoff
        )
        return scales

    def slopes(self, fields: Fields, /) -> tuple[Tensor, dict[str, Tensor], dict[str, Tensor]]:
        """Return the objective's gradients, and the next state.

        Those in the losses (S, T), and those in its own parameters (S, ...) by name.
        """
        weighting = self._weighting
        if has_slopes(type(weighting)):
            with torch.no_grad():
                closed: tuple[Tensor, dict[str, Tensor], dict[str, Tensor]] = self._call(
                    "slopes", lambda f: _plain(_given(weighting.slopes(Step(**f)))), fields
                )
            return closed
        leaf = fields["losses"].clone().requires_grad_()
        own = {name: t.detach().requires_grad_() for name, t in fields["parameters"].items()}
        with torch.enable_grad():
            total, state = self._call(
                "objective",
                lambda x, f: _plain(weighting.objective(x, Step(**f))),
                leaf,
                {**fields, "parameters": own},
            )
        weights, *found = torch.autograd.grad(total.sum(), [leaf, *own.values()])
        after = {name: tensor.detach() for name, tensor in state.items()}
        return weights, dict(zip(own, found, strict=True)), after

    def weights(self, fields: Fields, /) -> tuple[Tensor, dict[str, Tensor]]:
        """Return weights (S, T) and the next state."""
        rule = self._weighting.weights
        with torch.no_grad():
            found: tuple[Tensor, dict[str, Tensor]] = self._call(
                "weights", lambda f: _plain(rule(Step(**f))), fields
            )
        return found

    def direction(self, fields: Fields, /) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
        """Return the trunk's gradient (S, P), the heads' weights (S, T) and the next state."""
        rule = self._weighting.direction
        with torch.no_grad():
            found: tuple[Tensor, Tensor, dict[str, Tensor]] = self._call(
                "direction", lambda f: _plain(rule(Step(**f))), fields
            )
        return found

    def after_step(
        self, before: Tensor, after: Tensor, state: dict[str, Tensor], /
    ) -> dict[str, Tensor]:
        """Return the next state, from losses (S, T) of one batch before and after the step."""
        rule = self._weighting.after_step
        with torch.no_grad():
            found: dict[str, Tensor] = self._call(
                "after_step", lambda x, y, s: dict(rule(x, y, s)), before, after, state
            )
        return found

    def trunk_scale(self, fields: Fields, /) -> Tensor:
        """Return factors (S, T) on each task's gradient where it enters the trunk."""
        rule = self._weighting.trunk_scale
        with torch.no_grad():
            scale: Tensor = self._call(
                "trunk_scale",
                lambda f: torch.ones_like(f["losses"]) if (s := rule(Step(**f))) is None else s,
                fields,
            )
        return scale

    def epoch_end(self, losses: Tensor, state: dict[str, Tensor], /) -> dict[str, Tensor]:
        """Return the state after an epoch whose mean losses (S, T) are given."""
        rule = self._weighting.epoch_end
        if type(self._weighting).epoch_end is Weighting.epoch_end:
            return state
        after: dict[str, Tensor] = self._call(
            "epoch_end", lambda x, s: dict(rule(x, s)), losses, state
        )
        return after

    def _call(self, name: str, function: Callable[..., Any], /, *arguments: Any) -> Any:
        if name not in self._lifted:
            self._lifted[name] = lift(function, arguments, lambda error: self._loops(name, error))
        return self._lifted[name](*arguments)

    def _loops(self, name: str, error: Exception) -> None:
        """Leave a note that a rule is called trial by trial."""
        of = self._recipe if name in ("losses", "loss_scales") else self._weighting
        note = f"{type(of).__qualname__}.{name} is called trial by trial: {first_line(error)}"
        if note not in self._notes:
            self._notes.append(note)


def is_constant(rule: type[Weighting], /) -> bool:
    """Return whether weights may be worked out once an epoch.

    A subclass that overrides what its parent called constant has to say so again.
    """
    return (
        rule.objective is Weighting.objective
        and rule.trunk_scale is Weighting.trunk_scale
        and not (reads_gradients(rule) or looks_again(rule))
        and (
            rule.weights is Weighting.weights
            or (rule.constant is True and _goes_with(rule, "constant", "weights"))
        )
    )


def reads_gradients(rule: type[Weighting], /) -> bool:
    """Return whether it needs the tasks' gradients themselves."""
    return rule.needs == "jacobian"


def looks_again(rule: type[Weighting], /) -> bool:
    """Return whether it needs the losses of a batch after the step as well."""
    return rule.after_step is not Weighting.after_step


def has_slopes(rule: type[Weighting], /) -> bool:
    """Return whether it has closed forms of its own objective's gradient, not of its parent's."""
    return rule.slopes is not Weighting.slopes and _goes_with(rule, "slopes", "objective")


def _goes_with(rule: type[Weighting], claim: str, method: str) -> bool:
    """Return whether the class that makes a claim about a method has, or overrides, that method."""
    by, of = (next(c for c in rule.__mro__ if name in vars(c)) for name in (claim, method))
    return issubclass(by, of)


def _given(slopes: tuple[Any, ...] | None) -> tuple[Any, ...]:
    assert slopes is not None, "a rule that overrides `slopes` has to give them"
    return slopes


def _plain(result: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return the result with dicts for all mappings, as vmap wants them."""
    return tuple(dict(part) if isinstance(part, Mapping) else part for part in result)
