"""The steps of a stack as its weighting wants them.

Weights are worked out once an epoch, at every step from the losses or the gradients, or by the
engine itself where it has taken the rule over.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from fairbench.seeds import derive, dropout_seed
from fairbench.train.batch import Visits
from fairbench.train.draws import mask_draws, noise_draws
from fairbench.train.engine import Engine, Start
from fairbench.train.prepared import Prepared
from fairbench.train.reading import WEIGHTING_PREFIX
from fairbench.train.rules import Fields, Rules, is_constant, looks_again, reads_gradients
from fairbench.train.stack import Stack
from fairbench.train.weights import Weights
from fairbench.weighting import Weighting

if TYPE_CHECKING:
    from fairbench.method import Trial

__all__ = ["Steps"]


class Steps:
    """The weighting of a stack, between the passes of an engine.

    Parameters
    ----------
    start
        Weights (S, …) of the networks to begin with.
    """

    def __init__(
        self, prepared: Prepared, engine: Engine, trials: Sequence[Trial], start: Weights, /
    ) -> None:
        dtype, device, weighting = prepared.dtype, prepared.device, prepared.weighting
        self._prepared, self._weighting = prepared, weighting
        self._rules = Rules(prepared.recipe, prepared.tasks, weighting, prepared.notes)
        rule = type(weighting)
        self._scales_trunk = rule.trunk_scale is not Weighting.trunk_scale
        self._is_constant, self._looks_again = is_constant(rule), looks_again(rule)
        mask_seeds = [dropout_seed(prepared.work.entropy, trial) for trial in trials]
        noise_seeds = [derive(seed, "noise") for seed in mask_seeds]
        masks = mask_draws(prepared.module.masks, mask_seeds, dtype, device)
        trunk = sum(t[0].numel() for n, t in start.parameters.items() if n.startswith("trunk."))
        drawn = trunk if reads_gradients(rule) else prepared.terms
        self._noise = noise_draws(drawn, noise_seeds, dtype, device)
        values = [float("nan") if trial.value is None else trial.value for trial in trials]
        self._tradeoff = torch.tensor(values, dtype=dtype, device=device)

        def repeated(tensor: Tensor) -> Tensor:
            return tensor.to(device, dtype).repeat(len(trials), *[1] * tensor.dim())

        terms = prepared.terms
        own = weighting.initial_parameters(terms).items()
        state = {**weighting.initial_state(terms), **weighting.gradient_state(terms, trunk)}
        self._state = {name: repeated(tensor) for name, tensor in state.items()}
        learned = {WEIGHTING_PREFIX + name: repeated(tensor) for name, tensor in own}
        weights = Weights({**start.parameters, **learned}, start.buffers)
        factors = [prepared.recipe.rate_factor(trial.value) for trial in trials]
        self._learner = engine.learner(self._rules, Start(weights, self._tradeoff, factors, masks))
        self._begin_rule(self._state)

    def _begin_rule(self, state: Mapping[str, Tensor]) -> None:
        """Leave the weighting's rule to the engine where it can have it."""
        taken = None if self._is_constant else self._learner.take_rule(state, self._noise)
        self._rule_taken = taken is not None
        self._state = dict(state if taken is None else taken)
        self._constants = torch.ones(self.stack.lanes, self._prepared.terms).to(self._tradeoff)

    @property
    def stack(self) -> Stack:
        """The trials in training."""
        return self._learner.stack

    def keep(self, index: Tensor, /) -> None:
        """Go on with the trials of `index` only."""
        self._learner.keep(index)
        self._tradeoff = self._tradeoff[index]
        self._noise.keep(index.tolist())
        self._begin_rule({name: tensor[index] for name, tensor in self._state.items()})

    def epoch(
        self, visits: Visits, sizes: Sequence[int], lr: float, before: int, planned: int, /
    ) -> Tensor:
        """Take steps over batches of these sizes, and return mean losses (S, T) over their rows.

        `before` of `planned` steps have been taken.
        """
        if self._rule_taken:
            return self._learner.learn_by_rule(visits, sizes, lr, planned) / sum(sizes)
        if self._is_constant:
            done = torch.full_like(self._tradeoff, before / planned)
            fields = self._fields(torch.ones_like(self._constants), {}, done)
            self._constants.copy_(self._rules.weights(fields)[0])
            return self._learner.learn_all(visits, sizes, self._constants, lr) / sum(sizes)
        total, start = torch.zeros_like(self._constants), 0
        for number, rows in enumerate(sizes, before):
            done = torch.full_like(self._tradeoff, number / planned)
            losses, signals = self._learner.forward(visits, start, rows)
            self._learn(self._fields(losses, signals, done), lr)
            total.add_(losses, alpha=rows)
            start += rows
        return total / sum(sizes)

    def epoch_end(self, losses: Tensor, /) -> None:
        """Tell the weighting the mean losses (S, T) of an epoch."""
        with torch.no_grad():
            self._go_on(self._rules.epoch_end(losses, dict(self._state)))

    def _go_on(self, state: dict[str, Tensor]) -> None:
        """Continue with another state; an engine that has the rule reads it from its place."""
        if not self._rule_taken:
            self._state = state
            return
        after = {name: tensor.clone() for name, tensor in state.items()}  # may be one another's
        if _form(after) == _form(self._state):
            for name, tensor in self._state.items():
                tensor.copy_(after[name])
            return
        self._state, self._rule_taken = after, False
        name, notes = type(self._weighting).__qualname__, self._prepared.notes
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
                name.removeprefix(WEIGHTING_PREFIX): tensor.detach().clone()
                if self._state
                else tensor.detach()
                for name, tensor in self.stack.parameters.items()
                if name.startswith(WEIGHTING_PREFIX)
            },
        }
        if self._weighting.noisy:
            fields["noise"] = self._noise.next()["noise"].clone()
        return fields

    def _learn(self, fields: Fields, lr: float) -> None:
        if self._weighting.needs == "gramian":
            fields["gramian"] = self._learner.gramian()
            weights, state = self._rules.weights(fields)
            self._learner.learn_combined(weights, lr)
        elif self._weighting.needs == "jacobian":
            fields["jacobian"] = self._learner.jacobian()
            direction, weights, state = self._rules.direction(fields)
            self._learner.learn_along(direction, weights, lr)
        else:
            weights, state = self._objective_weights(fields)
            trunk = weights * self._rules.trunk_scale(fields) if self._scales_trunk else None
            self._learner.learn(weights, lr, trunk)
        if self._looks_again:
            state = self._rules.after_step(fields["losses"], self._learner.forward_again(), state)
        self._go_on(state)  # only now, as weights may be its tensors

    def _objective_weights(self, fields: Fields) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the objective's gradient (S, T) in the losses, and the next state.

        The gradient in its own parameters is written.
        """
        if type(self._weighting).objective is Weighting.objective:
            return self._rules.weights(fields)
        weights, own, state = self._rules.slopes(fields)
        for name, gradient in own.items():
            self.stack.slots[WEIGHTING_PREFIX + name].copy_(gradient)
        return weights, state


def _form(state: Mapping[str, Tensor]) -> dict[str, tuple[torch.Size, torch.dtype]]:
    return {name: (tensor.shape, tensor.dtype) for name, tensor in state.items()}
