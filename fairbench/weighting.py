"""Weightings: turn the tasks' losses (or gradients) into one update, written for one trial."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from fairbench.errors import StudyError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    State = dict[str, Tensor]

__all__ = ["Needs", "Step", "Weighting"]

Needs = Literal["losses", "gramian"]


@dataclass(frozen=True, slots=True)
class Step:
    """What a weighting sees at one step of one trial.

    Every tensor may carry leading dimensions: written with the task as the *last* dimension
    (and the last two for the Gramian), a rule serves one trial and a stack of them alike.

    Attributes
    ----------
    losses : (..., T)
        Mean loss of each task over the batch, detached.
    gramian : (..., T, T)
        Inner products of the tasks' gradients with respect to the trunk; only where the
        weighting `needs` it.
    tradeoff : (...)
        The trial's trade-off value; NaN for a method without one.
    progress : (...)
        Share of the planned steps already done, from 0 to 1.
    signals
        Further (..., T) quantities that the method's losses reported (a group's MAE).
    state, parameters
        What `initial_state` and `initial_parameters` began, carried from step to step.
    noise : (..., T)
        Fresh standard normal draws from the trial's own generator; only where `noisy`.
    """

    losses: Tensor
    tradeoff: Tensor
    state: Mapping[str, Tensor]
    parameters: Mapping[str, Tensor]
    signals: Mapping[str, Tensor]
    gramian: Tensor | None = None
    noise: Tensor | None = None
    progress: Tensor | None = None


class Weighting:
    """One rule. Subclasses are frozen dataclasses whose fields are the rule's options.

    A rule is a function of its step alone: its memory is the state, its chance the noise. The
    engine calls it on a stack of trials, on steps that it made up, or translates it.

    Override `weights` for a rule that weighs (static, dynamic or by gradients), or `objective`
    for one whose objective is a function of the losses (uncertainty, geometric). Heads always
    take the gradient of their own weighted loss.

    Attributes
    ----------
    needs
        What `weights` looks at beside the losses: the Gramian costs a backward pass per task.
    tasks
        The fewest and the most tasks that the rule is made for; None where it takes any number.
    noisy
        Whether it draws random numbers.
    constant
        Whether the weights depend on nothing but the trade-off value and a state that only
        `epoch_end` changes: they are worked out once an epoch.
    """

    needs: ClassVar[Needs] = "losses"
    tasks: ClassVar[tuple[int, int | None]] = (1, None)
    noisy: ClassVar[bool] = False
    constant: ClassVar[bool] = False

    def check_tasks(self, tasks: int, /) -> None:
        """Refuse a number of tasks that the rule is not made for, before it sees a step.

        Raises
        ------
        StudyError
            Where `tasks` is outside the range of that name.
        """
        fewest, most = type(self).tasks
        if tasks < fewest or (most is not None and tasks > most):
            raise StudyError(
                f"weighting {type(self).__name__} is for {_range(fewest, most)} tasks, "
                f"the study gives it {tasks}",
                hint="choose another weighting, or change the number of tasks",
            )

    def initial_state(self, tasks: int, /) -> State:
        """Tensors carried from step to step, without gradient."""
        return {}

    def initial_parameters(self, tasks: int, /) -> State:
        """Tensors learned beside the network, by its optimiser."""
        return {}

    def weights(self, step: Step, /) -> tuple[Tensor, Mapping[str, Tensor]]:
        """Weights (..., T) of this step and the state for the next."""
        import torch

        return torch.ones_like(step.losses), step.state

    def objective(self, losses: Tensor, step: Step, /) -> tuple[Tensor, Mapping[str, Tensor]]:
        """The scalar (...) to minimise, differentiable in `losses` (..., T) and parameters."""
        weights, state = self.weights(step)
        return (weights * losses).sum(-1), state

    def slopes(
        self, step: Step, /
    ) -> tuple[Tensor, Mapping[str, Tensor], Mapping[str, Tensor]] | None:
        """The gradient of `objective` in closed form, or None to have it differentiated.

        Its derivatives in ``step.losses`` (..., T) and in each of ``step.parameters`` (...),
        by name, and the state for the next step.
        """
        return None

    def trunk_scale(self, step: Step, /) -> Tensor | None:
        """Factors (..., T) on each task's gradient where it enters the trunk, or None for 1.

        A negative factor is gradient reversal: the head learns the task, the trunk unlearns it.
        """
        return None

    def epoch_end(self, losses: Tensor, state: Mapping[str, Tensor], /) -> Mapping[str, Tensor]:
        """The state after an epoch whose mean losses were `losses` (..., T)."""
        return state


def _range(fewest: int, most: int | None) -> str:
    if most is None:
        return f"at least {fewest}"
    return str(most) if fewest == most else f"{fewest} to {most}"
