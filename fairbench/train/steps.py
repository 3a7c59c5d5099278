"""The steps of a stack as its weighting wants them: once an epoch, by losses, or by gradients."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from fairbench.seeds import derive, dropout_seed
from fairbench.train.batch import Visits
from fairbench.train.dropout import mask_draws, noise_draws
from fairbench.train.engine import Beginning
from fairbench.train.rules import LEARNED, Fields, Rules, is_constant
from fairbench.weighting import Weighting

if TYPE_CHECKING:
    from fairbench.method import Trial
    from fairbench.train.setup import Setup
    from fairbench.train.stack import Stack

__all__ = ["Steps"]


class Steps:
    """The weighting of a stack, at work on an engine.

    Parameters
    ----------
    parameters, buffers
        (S, …) by name, to begin with.
    """

    def __init__(
        self,
        setup: Setup,
        trials: Sequence[Trial],
        parameters: Mapping[str, Tensor],
        buffers: Mapping[str, Tensor],
        /,
    ) -> None:
        dtype, device = setup.dtype, setup.device
        self._setup, self._rules = setup, Rules(setup)
        rule = type(setup.weighting)
        self._scales_trunk = rule.trunk_scale is not Weighting.trunk_scale
        self._is_constant = is_constant(rule)
        seeds = [dropout_seed(setup.work.entropy, trial) for trial in trials]
        apart = [derive(seed, "noise") for seed in seeds]
        self._masks = mask_draws(setup.masks, seeds, dtype, device)
        self._noise = noise_draws(setup.terms, apart, dtype, device)
        values = [float("nan") if trial.value is None else trial.value for trial in trials]
        self._tradeoff = torch.tensor(values, dtype=dtype, device=device)

        def repeated(tensor: Tensor) -> Tensor:
            return tensor.to(device, dtype).repeat(len(trials), *[1] * tensor.dim())

        weighting, terms = setup.weighting, setup.terms
        own = weighting.initial_parameters(terms).items()
        self._state = {n: repeated(t) for n, t in weighting.initial_state(terms).items()}
        self._engine = setup.engine(
            self._rules,
            Beginning(
                {**parameters, **{LEARNED + name: repeated(tensor) for name, tensor in own}},
                buffers,
                self._tradeoff,
                [setup.method.rate_factor(trial.value) for trial in trials],
                self._masks,
            ),
        )
        self._begin_rule(self._state)

    def _begin_rule(self, state: Mapping[str, Tensor]) -> None:
        """Leave the weighting's rule to the engine where it can have it."""
        setup = self._setup
        self._adopted = None if self._is_constant else self._engine.adopt(state, self._noise)
        self._state = dict(state if self._adopted is None else self._adopted.state)
        self._constants = torch.ones(self.stack.lanes, setup.terms).to(self._tradeoff)

    @property
    def stack(self) -> Stack:
        """The trials in training."""
        return self._engine.stack

    def keep(self, index: Tensor, /) -> None:
        """Go on with the trials of `index` only."""
        self._engine.keep(index)
        self._tradeoff = self._tradeoff[index]
        self._noise.keep(index.tolist())
        self._begin_rule({name: tensor[index] for name, tensor in self._state.items()})

    def epoch(
        self, visits: Visits, sizes: Sequence[int], lr: float, before: int, planned: int, /
    ) -> Tensor:
        """Take steps over batches of these sizes; mean losses (S, T) over their rows.

        `before` of `planned` steps have been taken.
        """
        if self._adopted is not None:
            return self._adopted.learn(visits, sizes, lr, planned) / sum(sizes)
        if self._is_constant:
            done = torch.full_like(self._tradeoff, before / planned)
            fields = self._fields(torch.ones_like(self._constants), {}, done)
            self._constants.copy_(self._rules.weights(fields)[0])
            return self._engine.learn_all(visits, sizes, self._constants, lr) / sum(sizes)
        total, start = torch.zeros_like(self._constants), 0
        for number, rows in enumerate(sizes, before):
            done = torch.full_like(self._tradeoff, number / planned)
            losses, signals = self._engine.look(visits, start, rows)
            self._learn(self._fields(losses, signals, done), lr)
            total.add_(losses, alpha=rows)
            start += rows
        return total / sum(sizes)

    def epoch_end(self, losses: Tensor, /) -> None:
        """Tell the weighting the mean losses (S, T) of an epoch."""
        with torch.no_grad():
            self._go_on(self._rules.epoch_end(losses, dict(self._state)))

    def _go_on(self, state: dict[str, Tensor]) -> None:
        """Continue with another state; where it is read from its place, it is written there."""
        if self._adopted is None:
            self._state = state
            return
        after = {name: tensor.clone() for name, tensor in state.items()}  # may be one another's
        if _form(after) == _form(self._state):
            for name, tensor in self._state.items():
                tensor.copy_(after[name])
            return
        self._state, self._adopted = after, None
        name, notes = type(self._setup.weighting).__qualname__, self._setup.notes
        if (note := f"{name} is asked by torch once its state has another form") not in notes:
            notes.append(note)

    def _fields(self, losses: Tensor, signals: dict[str, Tensor], done: Tensor) -> Fields:
        fields: Fields = {
            "losses": losses,
            "signals": signals,
            "tradeoff": self._tradeoff,
            "progress": done,
            "state": dict(self._state),  # into which a rule may write
            "parameters": {
                # A state may be made of them as they are before the step.
                name.removeprefix(LEARNED): tensor.detach().clone()
                if self._state
                else tensor.detach()
                for name, tensor in self.stack.parameters.items()
                if name.startswith(LEARNED)
            },
        }
        if self._setup.weighting.noisy:
            fields["noise"] = self._noise.next()["noise"].clone()
        return fields

    def _learn(self, fields: Fields, lr: float) -> None:
        if self._setup.weighting.needs == "gramian":
            fields["gramian"] = self._engine.gramian()
            weights, state = self._rules.weights(fields)
            self._engine.learn_combined(weights, lr)
        else:
            weights, state = self._objective_weights(fields)
            trunk = weights * self._rules.trunk_scale(fields) if self._scales_trunk else None
            self._engine.learn(weights, lr, trunk)
        self._go_on(state)  # only now, as weights may be its tensors

    def _objective_weights(self, fields: Fields) -> tuple[Tensor, dict[str, Tensor]]:
        """The objective's gradient (S, T) in the losses, and the next state.

        The gradient in its own parameters is written.
        """
        if type(self._setup.weighting).objective is Weighting.objective:
            return self._rules.weights(fields)
        weights, own, state = self._rules.slopes(fields)
        for name, gradient in own.items():
            self.stack.slots[LEARNED + name].copy_(gradient)
        return weights, state


def _form(state: Mapping[str, Tensor]) -> dict[str, tuple[torch.Size, torch.dtype]]:
    return {name: (tensor.shape, tensor.dtype) for name, tensor in state.items()}
