"""Rules that have no translation, or stand a little apart: the kernel trains as torch does."""

import numpy as np
import pytest
import torch

from fairbench.train.by_kernel.rule import compiled_rule
from fairbench.train.by_kernel.writer import UntranslatableError
from fairbench.weighting import Weighting
from fairbench_baselines.weighted import Joint
from tests.train.agreement import SMALL, VALUES, assert_agrees
from tests.train.conftest import make_work


class _Branching(Weighting):
    def weights(self, step):
        return (step.losses if bool(step.losses.sum() > 1) else 1 / step.losses), step.state


class _Asking(Weighting):
    def weights(self, step):
        return step.losses * step.tradeoff.item(), step.state


class _Sorting(Weighting):
    def weights(self, step):
        return step.losses.argsort().to(step.losses.dtype) + 0.5, step.state


class _InPlace(Weighting):
    def weights(self, step):
        weights = step.losses.clone()
        weights.clamp_(0.5, 2)
        return weights, step.state


class _Reading(Weighting):
    """Reads numbers past torch: late in training it does something else."""

    def weights(self, step):
        late = step.progress.tolist() > 0.8
        return torch.ones_like(step.losses) * (5.0 if late else 1.0), step.state


class _Counting(Weighting):
    def initial_state(self, tasks):
        return {"count": torch.zeros(())}

    def weights(self, step):
        count = step.state["count"]
        factor = 1.0 if np.asarray(count) < 50 else 2.0
        return torch.ones_like(step.losses) * factor, {"count": count + 1}


class _Growing(Weighting):
    """Begins with one number and goes on with one for each task."""

    def initial_state(self, tasks):
        return {"seen": torch.zeros(1)}

    def weights(self, step):
        seen = 0.9 * step.state["seen"] + 0.1 * step.losses
        return 1 + seen, {"seen": seen}


class _Remembering(Weighting):
    """The last three losses of each task."""

    def initial_state(self, tasks):
        return {"last": torch.zeros(0, tasks)}

    def weights(self, step):
        last = torch.cat([step.state["last"], step.losses.unsqueeze(-2)], -2)[..., -3:, :]
        return 1 / (last.mean(-2) + 1), {"last": last}


@pytest.mark.parametrize(
    "rule",
    [_Branching, _Asking, _Sorting, _InPlace, _Reading, _Counting, _Growing, _Remembering],
)
def test_what_has_no_translation_stays_with_torch(rule):
    class Method(Joint):
        def weighting(self, dataset):
            return rule()

    trained = assert_agrees(Method(architecture=SMALL), make_work(VALUES, kernel="compiled"))
    (note,) = (note for note in trained.notes if "asked by torch" in note)
    assert rule.__name__ in note


class _LargeParameter(Weighting):
    def initial_parameters(self, tasks):
        return {"w": torch.ones(tasks, 50) / 50}

    def objective(self, losses, step):
        weights = step.parameters["w"].square().sum(-1)
        return (weights * losses + 1 / weights).sum(-1), step.state


class _WritingState(Weighting):
    """Changes the mapping that it is given."""

    def initial_state(self, tasks):
        return {"mean": torch.ones(tasks)}

    def weights(self, step):
        step.state["mean"] = 0.9 * step.state["mean"] + 0.1 * step.losses
        return 1 / step.state["mean"], step.state


class _History(Weighting):
    """The mean losses of all epochs so far."""

    def initial_state(self, tasks):
        return {"epochs": torch.ones(1, tasks)}

    def weights(self, step):
        return step.state["epochs"].mean(-2), step.state

    def epoch_end(self, losses, state):
        return {"epochs": torch.cat([state["epochs"], losses.unsqueeze(-2)], -2)}


class _KeepingParameters(Weighting):
    """Remembers its own parameters of the step before."""

    def initial_state(self, tasks):
        return {"before": torch.ones(tasks)}

    def initial_parameters(self, tasks):
        return {"w": torch.ones(tasks)}

    def objective(self, losses, step):
        w = step.parameters["w"]
        moved = (w - step.state["before"]).square()
        return (w.square() * losses + 10 * moved + 1 / w.square()).sum(-1), {"before": w}


class _Turning(Weighting):
    """Two numbers that change places at every step."""

    def initial_state(self, tasks):
        return {"one": torch.full((tasks,), 0.5), "two": torch.full((tasks,), 2.0)}

    def weights(self, step):
        one, two = step.state["one"], step.state["two"]
        return one, {"one": two, "two": one}


class _TwoWays(Weighting):
    """By gradients: the objective does not count."""

    needs = "gramian"

    def weights(self, step):
        return 1 + step.gramian.diagonal(dim1=-2, dim2=-1).rsqrt(), step.state

    def objective(self, losses, step):
        return losses.square().sum(-1), step.state


class _SingleNumbers(Weighting):
    """Answers in single precision, and with one weight for all tasks."""

    def weights(self, step):
        return torch.tensor([1.0, 2.5]), step.state


class _ConstantSingle(_SingleNumbers):
    constant = True

    def weights(self, step):
        return torch.tensor([1.0, 2.5]), step.state


@pytest.mark.parametrize(
    "rule",
    [
        _LargeParameter,
        _WritingState,
        _TwoWays,
        _Turning,
        _KeepingParameters,
        _Branching,
        _Asking,
        _InPlace,
        _Growing,
        _Remembering,
        _History,
    ],
)
def test_rules_that_stand_a_little_apart(rule, each_kernel):
    class Method(Joint):
        def weighting(self, dataset):
            return rule()

    work = make_work(VALUES, patience=3, lr=0.003)
    trained = assert_agrees(Method(architecture=SMALL), work)
    grown = rule is _History and each_kernel == "compiled"
    assert any("its state has another form" in n for n in trained.notes) == grown


def test_a_state_that_has_grown_stays_with_torch_when_the_stack_shrinks(each_kernel):
    class Method(Joint):
        def weighting(self, dataset):
            return _History()

    work = make_work(VALUES, epochs=60, patience=3, lr=0.03, seeds=(0, 1, 2))
    trained = assert_agrees(Method(architecture=SMALL), work)
    assert len({int(prediction.record["epochs"]) for prediction in trained.predictions}) > 1


@pytest.mark.parametrize("rule", [_SingleNumbers, _ConstantSingle])
def test_constants_of_another_precision(rule):
    class Method(Joint):
        def weighting(self, dataset):
            return rule()

    assert_agrees(Method(architecture=SMALL), make_work(VALUES, kernel="compiled"))


def test_a_rule_that_is_asked_by_torch_is_translated_once(monkeypatch):
    class Method(Joint):
        def weighting(self, dataset):
            return _Sorting()

    tried = []
    monkeypatch.setattr(
        "fairbench.train.by_kernel.engine.compiled_rule", lambda *_: tried.append(1) or _refuse()
    )
    work = make_work(VALUES, seeds=(0, 1, 2), patience=1, chain=2, kernel="compiled")
    trained = Method(architecture=SMALL).train(work)
    assert len(tried) == 1
    assert sum("asked by torch" in note for note in trained.notes) == 1


def _refuse():
    raise UntranslatableError("for once")


class _Refusing(Weighting):
    """Objects to numbers that it does not expect."""

    def weights(self, step):
        if step.losses.device.type == "cpu" and step.losses.dim() == 1:
            raise ValueError("one trial only?")
        return 1 + step.losses, step.state


def test_a_rule_that_fails_on_made_up_numbers_stays_with_torch():
    with pytest.raises(UntranslatableError, match="one trial only"):
        compiled_rule(_Refusing(), 2, {}, torch.float32)
