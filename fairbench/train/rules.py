"""A method's losses and its weighting's rules, lifted from one trial to a stack."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from fairbench.errors import first_line
from fairbench.train.batch import Batch
from fairbench.train.lift import lift
from fairbench.weighting import Step, Weighting

if TYPE_CHECKING:
    from fairbench.train.setup import Setup

__all__ = ["LEARNED", "Fields", "Rules", "is_constant", "looks_again", "reads_gradients"]

LEARNED = "weighting."
"""Prefix of the weighting's own parameters within the stack."""

Fields = dict[str, Any]
"""The fields of a `Step` that are present, so that vmap sees tensors only."""


class Rules:
    """Each rule is lifted at its first call, which serves as the example that lifting needs."""

    def __init__(self, setup: Setup) -> None:
        self._setup = setup
        self._lifted: dict[str, Callable[..., Any]] = {}

    def losses(
        self, outputs: dict[str, Tensor], batch: Batch, tradeoff: Tensor, /
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Losses (S, T) and signals (S, T) by name."""
        method, tasks = self._setup.method, self._setup.tasks

        def one(
            outputs: dict[str, Tensor], columns: dict[str, Tensor], groups: Tensor, value: Tensor
        ) -> tuple[Tensor, dict[str, Tensor]]:
            result = method.losses(tasks, outputs, Batch(columns, groups, batch.shares), value)
            losses, signals = result if isinstance(result, tuple) else (result, {})
            return losses, dict(signals)

        found: tuple[Tensor, dict[str, Tensor]] = self._call(
            "losses", one, outputs, dict(batch.columns), batch.groups, tradeoff
        )
        return found

    def loss_scales(self, tradeoff: Tensor, /) -> Tensor:
        """Factors (S, T) on the default losses."""
        method, tasks = self._setup.method, self._setup.tasks
        scales: Tensor = self._call(
            "loss_scales", lambda value: method.loss_scales(tasks, value), tradeoff
        )
        return scales

    def slopes(self, fields: Fields, /) -> tuple[Tensor, dict[str, Tensor], dict[str, Tensor]]:
        """The objective's gradients, and the next state.

        Those in the losses (S, T), and those in its own parameters (S, ...) by name.
        """
        weighting = self._setup.weighting
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
        """Weights (S, T) and next state."""
        rule = self._setup.weighting.weights
        with torch.no_grad():
            found: tuple[Tensor, dict[str, Tensor]] = self._call(
                "weights", lambda f: _plain(rule(Step(**f))), fields
            )
        return found

    def direction(self, fields: Fields, /) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
        """The trunk's gradient (S, P), the heads' weights (S, T) and the next state."""
        rule = self._setup.weighting.direction
        with torch.no_grad():
            found: tuple[Tensor, Tensor, dict[str, Tensor]] = self._call(
                "direction", lambda f: _plain(rule(Step(**f))), fields
            )
        return found

    def after_step(
        self, before: Tensor, after: Tensor, state: dict[str, Tensor], /
    ) -> dict[str, Tensor]:
        """The next state, from the losses (S, T) of one batch before and after the step."""
        rule = self._setup.weighting.after_step
        with torch.no_grad():
            found: dict[str, Tensor] = self._call(
                "after_step", lambda x, y, s: dict(rule(x, y, s)), before, after, state
            )
        return found

    def trunk_scale(self, fields: Fields, /) -> Tensor:
        """Factors (S, T) on each task's gradient where it enters the trunk."""
        rule = self._setup.weighting.trunk_scale
        with torch.no_grad():
            scale: Tensor = self._call(
                "trunk_scale",
                lambda f: torch.ones_like(f["losses"]) if (s := rule(Step(**f))) is None else s,
                fields,
            )
        return scale

    def epoch_end(self, losses: Tensor, state: dict[str, Tensor], /) -> dict[str, Tensor]:
        """State after an epoch whose mean losses (S, T) are given."""
        rule = self._setup.weighting.epoch_end
        if type(self._setup.weighting).epoch_end is Weighting.epoch_end:
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
        setup = self._setup
        of = setup.method if name in ("losses", "loss_scales") else setup.weighting
        note = f"{type(of).__qualname__}.{name} is called trial by trial: {first_line(error)}"
        if note not in setup.notes:
            setup.notes.append(note)


def is_constant(rule: type[Weighting], /) -> bool:
    """Whether weights may be worked out once an epoch.

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
    """Whether it needs the tasks' gradients themselves."""
    return rule.needs == "jacobian"


def looks_again(rule: type[Weighting], /) -> bool:
    """Whether it needs the losses of a batch after the step as well."""
    return rule.after_step is not Weighting.after_step


def has_slopes(rule: type[Weighting], /) -> bool:
    """Whether it has closed forms of its objective's gradient, and not of its parent's."""
    return rule.slopes is not Weighting.slopes and _goes_with(rule, "slopes", "objective")


def _goes_with(rule: type[Weighting], claim: str, method: str) -> bool:
    """Whether the class that makes a claim about a method has that method, or overrides it."""
    by, of = (next(c for c in rule.__mro__ if name in vars(c)) for name in (claim, method))
    return issubclass(by, of)


def _given(slopes: tuple[Any, ...] | None) -> tuple[Any, ...]:
    assert slopes is not None, "a rule that overrides `slopes` has to give them"
    return slopes


def _plain(result: tuple[Any, ...]) -> tuple[Any, ...]:
    """With dicts for all mappings, as vmap wants them."""
    return tuple(dict(part) if isinstance(part, Mapping) else part for part in result)
