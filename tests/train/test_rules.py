"""The engine against a plain loop: weightings and scales that look like others."""

from dataclasses import dataclass

import pytest
import torch

from fairbench.train import task_losses
from fairbench.weighting import Weighting
from fairbench_baselines.weighted import Joint
from fairbench_paper.static_alpha import StaticAlpha
from fairbench_weightings.static import Static as StaticRule
from fairbench_weightings.uncertainty import Uncertainty as UncertaintyRule
from tests.train.agreement import SMALL, VALUES, assert_agrees
from tests.train.conftest import begun, make_work

pytestmark = pytest.mark.usefixtures("each_kernel")


class _OtherObjective(UncertaintyRule):
    """Has its parent's slopes, which are another objective's."""

    def objective(self, losses, step):
        s = step.parameters["log_variances"]
        return ((-2 * s).exp() * losses + s).sum(-1), step.state


@dataclass(frozen=True)
class _NotConstant(StaticRule):
    """Has its parent's claim to be constant."""

    def weights(self, step):
        weights, state = super().weights(step)
        return weights * step.losses, state


@dataclass(frozen=True)
class _OwnObjective(StaticRule):
    def objective(self, losses, step):
        return losses.square().sum(-1), step.state


@dataclass(frozen=True)
class _OptionNamedConstant(Weighting):
    constant: float = 2.0

    def weights(self, step):
        return self.constant * step.losses, step.state


class _KeepsNoise(Weighting):
    noisy = True

    def initial_state(self, tasks):
        return {"before": torch.zeros(tasks)}

    def weights(self, step):
        return 1 + (step.noise - step.state["before"]).abs(), {"before": step.noise}


class _NoScale(Weighting):
    def trunk_scale(self, step):
        return None


@pytest.mark.parametrize(
    "rule",
    [
        _OtherObjective(),
        _NotConstant((1.0, 2.0)),
        _OwnObjective((1.0, 2.0)),
        _OptionNamedConstant(),
        _KeepsNoise(),
        _NoScale(),
    ],
    ids=lambda rule: type(rule).__name__,
)
def test_rules_that_look_like_others(rule):
    class Method(Joint):
        def weighting(self, dataset):
            return rule

    assert_agrees(Method(architecture=SMALL), make_work((0.3, 2.0), lr=0.02))


class _KeepsLosses(Weighting):
    """Its state is made of the losses that its objective is differentiated in."""

    def initial_state(self, tasks):
        return {"before": torch.ones(tasks)}

    def objective(self, losses, step):
        return (losses / step.state["before"]).sum(-1), {"before": losses + 1}


def test_no_state_carries_a_graph_from_step_to_step():
    class Method(Joint):
        def weighting(self, dataset):
            return _KeepsLosses()

    run = begun(Method(architecture=SMALL), make_work((0.3, 2.0)))
    run.epoch(0)
    assert not run.steps._state["before"].requires_grad


class _KeepsOutputs(Weighting):
    def initial_state(self, tasks):
        return {"before": torch.zeros(tasks)}

    def weights(self, step):
        now = step.signals["first"]
        return 1 + (now - step.state["before"]).abs(), {"before": now}


def test_signals_that_are_views_of_outputs_stay_as_they_were():
    class Method(StaticAlpha):
        def weighting(self, dataset):
            return _KeepsOutputs()

        def losses(self, tasks, outputs, batch, tradeoff):
            losses = task_losses(tasks, outputs, batch)
            return losses, {"first": outputs["y"][..., :2, 0]}

    assert_agrees(Method(architecture=SMALL), make_work(VALUES))


class _OneTrialScales(Joint):
    """Right for one trial; over a stack of two it would be transposed."""

    def loss_scales(self, tasks, tradeoff):
        return torch.stack([torch.ones_like(tradeoff), tradeoff])


@pytest.mark.parametrize("values", [(0.3, 2.0), (0.3, 1.0, 2.0)])
def test_scales_written_for_one_trial(values):
    assert_agrees(_OneTrialScales(architecture=SMALL), make_work(values))
