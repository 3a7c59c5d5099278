"""The steps of a stack as its weighting wants them: once an epoch, by losses, or by gradients."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from fairbench.seeds import derive, dropout_seed
from fairbench.train.batch import Visits
from fairbench.train.dropout import Draws, HeldDraws, mask_draws, noise_draws
from fairbench.train.engine import Beginning
from fairbench.train.graph import Replay
from fairbench.train.rules import LEARNED, Fields, Rules, is_constant, looks_again
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
        self._is_constant, self._looks_again = is_constant(rule), looks_again(rule)
        seeds = [dropout_seed(setup.work.entropy, trial) for trial in trials]
        apart = [derive(seed, "noise") for seed in seeds]
        kind = HeldDraws if setup.kernel == "graph" else Draws
        self._masks = mask_draws(kind, setup.masks, seeds, dtype, device)
        kind = Draws if self._is_constant else kind  # once an epoch, between recorded steps
        trunk = sum(t[0].numel() for n, t in parameters.items() if n.startswith("trunk."))
        drawn = trunk if rule.needs == "jacobian" else setup.terms
        self._noise = noise_draws(kind, drawn, apart, dtype, device)
        values = [float("nan") if trial.value is None else trial.value for trial in trials]
        self._tradeoff = torch.tensor(values, dtype=dtype, device=device)

        def repeated(tensor: Tensor) -> Tensor:
            return tensor.to(device, dtype).repeat(len(trials), *[1] * tensor.dim())

        weighting, terms = setup.weighting, setup.terms
        own = weighting.initial_parameters(terms).items()
        begun = {**weighting.initial_state(terms), **weighting.gradient_state(terms, trunk)}
        self._state = {n: repeated(t) for n, t in begun.items()}
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
        self._replay = None
        if setup.kernel == "graph":
            used = ((self._masks, setup.masks), (self._noise, setup.weighting.noisy))
            draws = [d for d, wanted in used if wanted and isinstance(d, HeldDraws)]
            self._replay = Replay(self._constants, draws, setup.notes)

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
        if self._replay is not None:
            return self._replay.epoch(visits, sizes, lr, before, planned, self._step) / sum(sizes)
        if self._is_constant:
            return self._engine.learn_all(visits, sizes, self._constants, lr) / sum(sizes)
        total, start = torch.zeros_like(self._constants), 0
        for number, rows in enumerate(sizes, before):
            done = torch.full_like(self._tradeoff, number / planned)
            self._step(visits, start, rows, lr, done, total)
            start += rows
        return total / sum(sizes)

    def _step(
        self, visits: Visits, start: int, rows: int, lr: float, done: Tensor, total: Tensor
    ) -> None:
        """A step with a share (S,) of all steps done; adds losses times rows to `total` (S, T)."""
        losses, signals = self._engine.look(visits, start, rows)
        if self._is_constant:
            self._engine.learn(self._constants, lr)
        else:
            self._learn(self._fields(losses, signals, done), lr)
        total.add_(losses, alpha=rows)

    def epoch_end(self, losses: Tensor, /) -> None:
        """Tell the weighting the mean losses (S, T) of an epoch."""
        with torch.no_grad():
            self._go_on(self._rules.epoch_end(losses, dict(self._state)))

    def _go_on(self, state: dict[str, Tensor]) -> None:
        """Continue with another state; where it is read from its place, it is written there."""
        if self._adopted is None and self._replay is None:
            self._state = state
            return
        after = {name: tensor.clone() for name, tensor in state.items()}  # may be one another's
        if _form(after) == _form(self._state):
            for name, tensor in self._state.items():
                tensor.copy_(after[name])
            return
        self._state, self._adopted = after, None
        name, notes = type(self._setup.weighting).__qualname__, self._setup.notes
        if self._replay is not None:
            self._replay.refuse(f"the state of {name} changes its form")
        elif (note := f"{name} is asked by torch once its state has another form") not in notes:
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
        elif self._setup.weighting.needs == "jacobian":
            fields["jacobian"] = self._engine.jacobian()
            direction, weights, state = self._rules.direction(fields)
            self._engine.learn_along(direction, weights, lr)
        else:
            weights, state = self._objective_weights(fields)
            trunk = weights * self._rules.trunk_scale(fields) if self._scales_trunk else None
            self._engine.learn(weights, lr, trunk)
        if self._looks_again:
            state = self._rules.after_step(fields["losses"], self._engine.look_again(), state)
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
