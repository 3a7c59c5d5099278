"""Properties of every weighting."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

import torch

from fairbench.errors import StudyError
from fairbench.plugins.conformance._base import Conformance
from fairbench.weighting import Step, Weighting

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from torch import Tensor

__all__ = ["WeightingConformance"]

STEPS = 3


@dataclass(frozen=True)
class _Outcome:
    """The answers of a rule at one step; `scale` is 1 where it scales no gradient."""

    weights: Tensor
    objective: Tensor
    gradient: Tensor
    scale: Tensor
    state: Mapping[str, Tensor]


class WeightingConformance(Conformance):
    """A weighting treats a stack of trials as it treats each alone, and survives zeros.

    Attributes
    ----------
    tasks
        Numbers of tasks to try, as far as the rule is made for them.
    tradeoffs
        Trade-off values of the trials in a stack; they must suit the rule.
    signals
        Names of the signals that the rule reads.
    """

    kind = "weighting"
    tasks: ClassVar[tuple[int, ...]] = (2, 3)
    tradeoffs: ClassVar[tuple[float, ...]] = (0.25, 0.5, 0.75)
    signals: ClassVar[tuple[str, ...]] = ()

    def test_refuses_the_numbers_of_tasks_that_it_is_not_made_for(self) -> None:
        rule = self._rule()
        fewest, most = type(rule).tasks
        assert fewest >= 1, f"`tasks` begins at {fewest}"
        assert most is None or most >= fewest, f"`tasks` ends at {most}, before {fewest}"
        assert _takes(rule, fewest), f"the rule refuses {fewest} tasks"
        for outside in (fewest - 1, *(() if most is None else (most + 1,))):
            assert not _takes(rule, outside), f"the rule takes {outside} tasks"

    def test_stacked_equals_one_by_one(self) -> None:
        rule = self._rule()
        for tasks in self._counts(rule):
            steps = self._steps(rule, tasks)
            together = list(_follow(rule, steps, _begin(rule, tasks, len(self.tradeoffs))))
            for trial in range(len(self.tradeoffs)):
                alone = _follow(rule, [_of(step, trial) for step in steps], _begin(rule, tasks))
                for stacked, single in zip(together, alone, strict=True):
                    _same(stacked, single, trial)

    def test_shapes(self) -> None:
        rule = self._rule()
        for tasks in self._counts(rule):
            state = _begin(rule, tasks, len(self.tradeoffs))
            shapes = {name: tensor.shape for name, tensor in state[0].items()}
            many = (len(self.tradeoffs), tasks)
            for outcome in _follow(rule, self._steps(rule, tasks), state):
                assert outcome.weights.shape == many, f"weights are {tuple(outcome.weights.shape)}"
                assert outcome.objective.shape == many[:1], (
                    f"the objective is {tuple(outcome.objective.shape)}, not {many[:1]}"
                )
                assert outcome.scale.shape == many, f"scales are {tuple(outcome.scale.shape)}"
                now = {name: tensor.shape for name, tensor in outcome.state.items()}
                assert now == shapes, f"the state changes from {shapes} to {now}"

    def test_finite_where_losses_or_gradients_vanish(self) -> None:
        rule = self._rule()
        for tasks in self._counts(rule):
            everywhere = torch.zeros(tasks, dtype=torch.float64)
            in_one_task = torch.ones(tasks, dtype=torch.float64)
            in_one_task[0] = 0.0
            for factor in (everywhere, in_one_task):
                steps = [_times(step, factor) for step in self._steps(rule, tasks)]
                begin = _begin(rule, tasks, len(self.tradeoffs))
                for outcome in _follow(rule, steps, begin):
                    for tensor in _tensors(outcome).values():
                        assert torch.isfinite(tensor).all(), f"{outcome} at zero"

    def test_changes_no_input_and_draws_no_randomness_of_its_own(self) -> None:
        rule = self._rule()
        for tasks in self._counts(rule):
            steps = self._steps(rule, tasks)
            before = [_inputs(step) for step in steps]
            outcomes = []
            for seed in (1, 2):
                torch.manual_seed(seed)
                begin = _begin(rule, tasks, len(self.tradeoffs))
                outcomes.append(list(_follow(rule, steps, begin)))
            for step, copies in zip(steps, before, strict=True):
                for now, copy in zip(_inputs(step), copies, strict=True):
                    assert torch.equal(now, copy), "the rule changes its inputs"
            for first, second in zip(*outcomes, strict=True):
                pairs = zip(_tensors(first).values(), _tensors(second).values(), strict=True)
                assert all(torch.equal(a, b) for a, b in pairs), "equal steps, unequal weights"

    def test_constant_weights_change_between_epochs_only(self) -> None:
        rule = self._rule()
        if not type(rule).constant:
            return
        assert type(rule).objective is Weighting.objective, (
            "a rule with an objective of its own has no constant weights"
        )
        for tasks in self._counts(rule):
            state, parameters = _begin(rule, tasks, len(self.tradeoffs))
            after: Mapping[str, Tensor] = state
            for bare in self._steps(rule, tasks):
                other = _times(bare, torch.full((tasks,), 3.0, dtype=torch.float64))
                later = replace(
                    other,
                    noise=None if bare.noise is None else -bare.noise,
                    progress=None if bare.progress is None else bare.progress + 0.1,
                )
                for step in (bare, later):
                    weights, next_state = rule.weights(
                        replace(step, state=after, parameters=parameters)
                    )
                    if step is bare:
                        first = weights
                    assert torch.equal(weights, first), "weights change within an epoch"
                    assert all(torch.equal(next_state[name], after[name]) for name in after), (
                        "the state changes within an epoch"
                    )
                after = rule.epoch_end(bare.losses, after)

    def test_slopes_are_the_derivatives_of_the_objective(self) -> None:
        rule = self._rule()
        if type(rule).slopes is Weighting.slopes:
            return
        for tasks in self._counts(rule):
            begin, parameters = _begin(rule, tasks, len(self.tradeoffs))
            state: Mapping[str, Tensor] = begin
            own = {n: (t.double() + 0.1).requires_grad_() for n, t in parameters.items()}
            for bare in self._steps(rule, tasks):
                losses = bare.losses.clone().requires_grad_()
                step = replace(bare, state=state, parameters=own)
                objective, after = rule.objective(losses, step)
                sources = [losses, *own.values()]
                expected = torch.autograd.grad(objective.sum(), sources)
                slopes = rule.slopes(step)
                assert slopes is not None, "a rule that overrides slopes has to give them"
                weights, gradients, state = slopes
                found = [weights, *(gradients[name] for name in own)]
                for one, other in zip(found, expected, strict=True):
                    assert torch.allclose(one, other), f"slopes {one}, derivatives {other}"
                assert {*state} == {*after}, f"slopes leave the state {[*state]}"
                for name, tensor in after.items():
                    assert torch.equal(state[name], tensor), f"slopes leave another {name!r}"

    def _rule(self) -> Weighting:
        rule = self.make()
        assert isinstance(rule, Weighting), f"{rule!r} is no fairbench.weighting.Weighting"
        return rule

    def _counts(self, rule: Weighting) -> list[int]:
        """Return the numbers of tasks to try: those of `tasks` that the rule takes."""
        fewest, most = type(rule).tasks
        taken = [n for n in self.tasks if n >= fewest and (most is None or n <= most)]
        return taken or [fewest]

    def _steps(self, rule: Weighting, tasks: int) -> list[Step]:
        """Steps of a stack of trials (B, T), with everything that the rule asks for."""
        generator = torch.Generator().manual_seed(tasks)
        shape = (len(self.tradeoffs), tasks)

        def draw(*extra: int) -> Tensor:
            return torch.randn(*shape, *extra, generator=generator, dtype=torch.float64)

        return [
            Step(
                losses=draw().exp(),
                tradeoff=torch.tensor(self.tradeoffs, dtype=torch.float64),
                state={},
                parameters={},
                signals={name: draw().exp() for name in self.signals},
                gramian=_gramian(draw(7)) if rule.needs == "gramian" else None,
                noise=draw() if rule.noisy else None,
                progress=torch.full(shape[:1], number / STEPS, dtype=torch.float64),
            )
            for number in range(STEPS)
        ]


def _takes(rule: Weighting, tasks: int) -> bool:
    try:
        rule.check_tasks(tasks)
    except StudyError:
        return False
    return True


def _gramian(gradients: Tensor) -> Tensor:
    return gradients @ gradients.mT


def _begin(
    rule: Weighting, tasks: int, trials: int | None = None
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Initial state and parameters: of one trial, or of each in a stack."""

    def stacked(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        if trials is None:
            return dict(tensors)
        return {name: torch.stack([tensor] * trials) for name, tensor in tensors.items()}

    return stacked(rule.initial_state(tasks)), stacked(rule.initial_parameters(tasks))


def _follow(
    rule: Weighting, steps: list[Step], begin: tuple[dict[str, Tensor], dict[str, Tensor]]
) -> Iterator[_Outcome]:
    """Yield the rule's answers, step after step, with an epoch ending after each."""
    state: Mapping[str, Tensor] = begin[0]
    for bare in steps:
        held = {name: tensor.clone() for name, tensor in state.items()}
        step = replace(bare, state=held, parameters=begin[1])
        weights, _ = rule.weights(step)
        losses = step.losses.clone().requires_grad_()
        objective, after = rule.objective(losses, step)
        (gradient,) = torch.autograd.grad(objective.sum(), losses)
        scale = rule.trunk_scale(step)
        for name, tensor in held.items():
            assert torch.equal(tensor, state[name]), f"the rule changes its state {name!r} in place"
        state = rule.epoch_end(step.losses, {n: t.detach() for n, t in after.items()})
        plain = torch.ones_like(step.losses) if scale is None else scale
        yield _Outcome(weights.detach(), objective.detach(), gradient, plain, state)


def _of(step: Step, trial: int) -> Step:
    return _mapped(step, lambda tensor: tensor[trial])


def _times(step: Step, factor: Tensor) -> Step:
    """`step` with each task's losses, signals and gradients scaled by `factor` (T,)."""
    gramian = None if step.gramian is None else step.gramian * factor * factor[:, None]
    signals = {name: tensor * factor for name, tensor in step.signals.items()}
    return replace(step, losses=step.losses * factor, signals=signals, gramian=gramian)


def _mapped(step: Step, change: Callable[[Tensor], Tensor]) -> Step:
    return replace(
        step,
        losses=change(step.losses),
        tradeoff=change(step.tradeoff),
        signals={name: change(tensor) for name, tensor in step.signals.items()},
        gramian=None if step.gramian is None else change(step.gramian),
        noise=None if step.noise is None else change(step.noise),
        progress=None if step.progress is None else change(step.progress),
    )


def _inputs(step: Step) -> list[Tensor]:
    """Copies of every tensor of `step`."""
    optional = (step.gramian, step.noise, step.progress)
    given = [tensor for tensor in optional if tensor is not None]
    return [
        tensor.clone() for tensor in (step.losses, step.tradeoff, *step.signals.values(), *given)
    ]


def _tensors(outcome: _Outcome) -> dict[str, Tensor]:
    fixed = {
        "weights": outcome.weights,
        "objective": outcome.objective,
        "gradient": outcome.gradient,
        "trunk scale": outcome.scale,
    }
    return fixed | {f"state {name!r}": tensor for name, tensor in outcome.state.items()}


def _same(stacked: _Outcome, single: _Outcome, trial: int) -> None:
    one = _tensors(single)
    for name, tensor in _tensors(stacked).items():
        assert torch.allclose(tensor[trial], one[name].to(tensor.dtype), rtol=1e-6, atol=1e-9), (
            f"{name} of trial {trial} is {tensor[trial]} in a stack and {one[name]} alone"
        )
