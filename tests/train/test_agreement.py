"""The engine against a plain loop: the same numbers for every way of training there is.

Each case takes at least 200 steps in float64 and must agree to 1e-9 in units of the target.
"""

from dataclasses import dataclass

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from fairbench.errors import PluginError
from fairbench.method import Tradeoff
from fairbench.train import NetworkMethod, protected_task, target_tasks, task_losses
from fairbench.train.setup import prepare
from fairbench.weighting import Weighting
from fairbench_baselines.adversarial import Adversarial
from fairbench_baselines.dynamic_reweighting import DynamicReweighting
from fairbench_baselines.group_dro import GroupDRO
from fairbench_baselines.single_task import SingleTask
from fairbench_baselines.weighted import Cagrad, Dwa, Equal, Gradnorm, Mgda, Pcgrad, Uncertainty
from fairbench_baselines.weighted import _Weighted as Weighted
from fairbench_paper.static_alpha import StaticAlpha
from fairbench_weightings.static import Static as StaticRule
from fairbench_weightings.uncertainty import Uncertainty as UncertaintyRule
from tests.train.conftest import make_dataset, make_work
from tests.train.plain import plain_fit, plain_module, plain_predict

SMALL = {"hidden": (9, 6)}
VALUES = (0.5, 4.4)


def assert_agrees(method, work, **plain):
    trained = method.train(work)
    assert len(trained.predictions) == len(work.trials)
    for trial, prediction in zip(work.trials, trained.predictions, strict=True):
        module, epochs = plain_fit(method, work, trial, **plain)
        assert prediction.status == "ok", prediction.note
        assert prediction.record["epochs"] == epochs
        for part in ("validation", "test"):
            expected = plain_predict(method, work, module, part)
            np.testing.assert_allclose(getattr(prediction, part), expected, rtol=0, atol=1e-9)
    return trained


@pytest.mark.parametrize(
    "training",
    [
        {},
        {"optimizer": "adamw", "weight_decay": 0.1},
        {"optimizer": "sgd", "momentum": 0.9, "weight_decay": 0.01},
        {"optimizer": "sgd"},
        {"weight_decay": 0.05},
        {"schedule": "cosine"},
        {"schedule": "step"},
        {"clip_norm": 0.2},
        {"batch_size": 83},
        {"batch_size": 500, "epochs": 200},
    ],
    ids=str,
)
def test_training_settings(training):
    work = make_work(VALUES, **training)
    assert_agrees(StaticAlpha(architecture=SMALL), work)


def test_weights_that_are_stored_transposed():
    method = StaticAlpha(architecture={"hidden": (16, 32, 5)})  # 7 features do not fill registers
    assert_agrees(method, make_work(VALUES, patience=4, epochs=60, clip_norm=2.0))


class _OwnRates(StaticAlpha):
    def rate_factor(self, value):
        return 1.0 if value is None else 0.2 + value


@pytest.mark.parametrize("optimizer", ["adam", "adamw", "sgd"])
def test_learning_rates_per_trial(optimizer):
    work = make_work(
        (0.5, 0.5, 4.4), optimizer=optimizer, momentum=0.8, schedule="cosine", patience=6
    )
    method = _OwnRates(architecture=SMALL)
    trained = assert_agrees(method, work)
    usual = StaticAlpha(architecture=SMALL).train(work)
    for own, same in zip(trained.predictions, usual.predictions, strict=True):
        assert np.abs(own.test - same.test).max() > 0.01


@pytest.mark.parametrize("kind", ["binary", "categorical", "continuous"])
@pytest.mark.parametrize("targets", [1, 2])
def test_heads_and_targets(kind, targets):
    work = make_work(VALUES, make_dataset(kind, targets))
    assert_agrees(StaticAlpha(architecture=SMALL), work)


@pytest.mark.parametrize("z_loss", ["mse", "bce"])
def test_both_losses_of_a_binary_attribute(z_loss):
    assert_agrees(StaticAlpha(architecture=SMALL, z_loss=z_loss), make_work(VALUES))


def test_unscaled_continuous_attribute():
    method = StaticAlpha(architecture=SMALL, z_scaled=False, reading="table")
    assert_agrees(method, make_work(VALUES, make_dataset("continuous"), lr=0.001))


def test_dropout_is_each_trials_own():
    method = StaticAlpha(architecture={**SMALL, "dropout": 0.3})
    trained = assert_agrees(method, make_work(VALUES, seeds=(0, 1)))
    alone = method.train(make_work(VALUES[1:2])).predictions[0].test
    np.testing.assert_allclose(alone, trained.predictions[1].test, rtol=0, atol=1e-9)


def test_batch_norm_has_running_statistics_per_trial():
    method = StaticAlpha(architecture={**SMALL, "batch_norm": True})
    assert_agrees(method, make_work(VALUES, seeds=(0, 1)))


def test_batch_norm_and_dropout_together_with_early_stopping():
    method = StaticAlpha(architecture={**SMALL, "batch_norm": True, "dropout": 0.2})
    assert_agrees(method, make_work(VALUES, patience=3, epochs=60))


def test_seeds_side_by_side():
    assert_agrees(SingleTask(architecture=SMALL), make_work((None,), seeds=(0, 1, 2)))


def test_early_stopping_restores_the_best_weights_and_stops_at_different_epochs():
    work = make_work((0.1, 1.0, 2.5, 4.0, 5.0), epochs=80, patience=3, min_delta=1e-3, lr=0.03)
    trained = assert_agrees(StaticAlpha(architecture=SMALL), work)
    epochs = [int(p.record["epochs"]) for p in trained.predictions]
    assert len(set(epochs)) > 1
    assert min(epochs) < 80
    assert trained.model_steps == 6 * sum(epochs)


@pytest.mark.parametrize(
    ("method", "patience"),
    [
        (Uncertainty, 4),
        (Dwa, 4),
        (Gradnorm, 4),
        (Pcgrad, None),
        (Mgda, None),
        (Cagrad, None),
        (Equal, None),
    ],
)
def test_weightings(method, patience):
    work = make_work((0.1, 3.0), patience=patience)
    assert_agrees(method(architecture=SMALL), work)


def test_a_noisy_weighting_draws_from_each_trials_own_generator():
    method = Weighted(architecture=SMALL, weighting_name="random")
    trained = assert_agrees(method, make_work((0.1, 1.0), seeds=(0, 1)))
    first, _, second, _ = (p.test for p in trained.predictions)
    assert not np.allclose(first, second)


@pytest.mark.parametrize("kind", ["binary", "categorical", "continuous"])
@pytest.mark.parametrize("method", [DynamicReweighting, GroupDRO])
def test_losses_that_see_the_groups(method, kind):
    work = make_work((0.0, 0.05, 1.0), make_dataset(kind), batch_size=8, epochs=20)
    assert_agrees(method(architecture=SMALL), work)


@pytest.mark.parametrize("ramp", [False, True])
def test_reversal_is_the_explicit_negated_gradient(ramp):
    def factor(value, progress):
        return value * (2 / (1 + np.exp(-10 * progress)) - 1) if ramp else value

    method = Adversarial(architecture=SMALL, ramp=ramp)
    assert_agrees(method, make_work((-1.0, 0.0, 0.7)), adversarial=factor)


def test_chains_start_from_the_weights_before():
    method = StaticAlpha(architecture=SMALL)
    work = make_work((0.5, 1.0, 1.5, 2.0, 2.5), chain=2, epochs=17, patience=5, seeds=(0, 1))
    trained = method.train(work)
    for start in range(0, 10, 5):
        module = None
        for at in range(5):
            trial = work.trials[start + at]
            if at % 2 == 0:
                module = plain_module(method, work, trial)
            module, _ = plain_fit(method, work, trial, module=module)
            expected = plain_predict(method, work, module, "test")
            got = trained.predictions[start + at].test
            np.testing.assert_allclose(got, expected, rtol=0, atol=1e-9)


# modules that have no lane-aware form


class _Mapped(nn.Module):
    """An operation that only vmap knows: a product over features."""

    def __init__(self, features, tasks, dropout):
        super().__init__()
        self.trunk = _Gated(features, dropout)
        self.heads = nn.ModuleDict({task.name: nn.Linear(6, task.width) for task in tasks})

    def forward(self, x):
        hidden = self.trunk(x)
        return {name: head(hidden) for name, head in self.heads.items()}


class _Gated(nn.Module):
    def __init__(self, features, dropout):
        super().__init__()
        self.into, self.gate = nn.Linear(features, 6), nn.Linear(features, 6)
        self.scale = nn.Parameter(torch.ones(6))
        self.dropout = nn.Dropout(dropout)

    def forward(self, x):
        hidden = torch.softmax(self.gate(x), dim=-1) * self.into(x) * self.scale
        return self.dropout(hidden)


class _Branching(_Gated):
    """Control flow on values, which neither fx nor vmap can follow."""

    def forward(self, x):
        hidden = super().forward(x)
        return hidden if float(hidden.detach().sum()) > 0 else hidden * 0.5


class _OwnModel(NetworkMethod):
    trunk = _Gated
    dropout = 0.0

    @property
    def tradeoff(self):
        return Tradeoff("w", (1.0,))

    def tasks(self, dataset):
        return (*target_tasks(dataset), protected_task(dataset))

    def weighting(self, dataset):
        return Weighting()

    def losses(self, tasks, outputs, batch, tradeoff):
        losses = task_losses(tasks, outputs, batch)
        return torch.stack([losses[0], tradeoff * losses[1]])  # right for one trial only

    def build(self, fold, tasks):
        module = _Mapped(fold.dataset.features.shape[1], tasks, self.dropout)
        module.trunk = type(self).trunk(fold.dataset.features.shape[1], self.dropout)
        return module


def in_a_row(features):
    """Each activation behind layers that need their output, or do not, for the way back."""
    return nn.Sequential(
        nn.Linear(features, 16),
        nn.ReLU(),
        nn.Sigmoid(),
        nn.Tanh(),
        nn.Linear(16, 9, bias=False),
        nn.BatchNorm1d(9, momentum=0.3, eps=1e-3),
        nn.Tanh(),
        nn.ReLU(),
        nn.Dropout(0.2),
        nn.Sigmoid(),
        nn.Linear(9, 6, bias=False),  # one would have no gradient here but rounding, for Adam
        nn.BatchNorm1d(6),
        nn.Sigmoid(),
        nn.ReLU(),
    )


def begins_with_norm(features):
    return nn.Sequential(nn.BatchNorm1d(features), nn.ReLU(), nn.Linear(features, 6), nn.Tanh())


class _Twice(nn.Module):
    """A layer that is used twice: its gradient is the sum of both."""

    def __init__(self, features):
        super().__init__()
        self.into, self.layer = nn.Linear(features, 6), nn.Linear(6, 6)

    def forward(self, x):
        return self.layer(torch.tanh(self.layer(torch.tanh(self.into(x)))))


class _Doubled(nn.Linear):
    """A subclass that does something else."""

    def forward(self, x):
        return 2 * super().forward(x)


def with_a_subclass(features):
    return nn.Sequential(_Doubled(features, 6), nn.ReLU())


class _Rows(Weighting):
    """Weights by the length of each task's gradient in the trunk."""

    needs = "gramian"

    def weights(self, step):
        return step.gramian.diagonal(dim1=-2, dim2=-1).add(0.1).rsqrt(), step.state


@pytest.mark.parametrize("weighting", [Weighting, _Rows])
@pytest.mark.parametrize("trunk", [in_a_row, begins_with_norm, _Twice, with_a_subclass])
def test_chains_of_layers(trunk, weighting):
    class Method(_OwnModel):
        def weighting(self, dataset):
            return weighting()

        def build(self, fold, tasks):
            module = super().build(fold, tasks)
            module.trunk = trunk(fold.dataset.features.shape[1])
            return module

    work = make_work((0.3, 2.0), seeds=(0, 1), lr=0.03)
    by_hand = prepare(Method(), work).network.chain is not None
    assert by_hand == (trunk in (in_a_row, begins_with_norm))
    assert_agrees(Method(), work)


class _Functional(nn.Module):
    def __init__(self, features):
        super().__init__()
        self.layer = nn.Linear(features, 6)

    def forward(self, x):
        return F.relu(self.layer(x))


class _Scaled(nn.Module):
    """A parameter that is a single number."""

    def __init__(self, features):
        super().__init__()
        self.layer, self.scale = nn.Linear(features, 6), nn.Parameter(torch.tensor(1.3))

    def forward(self, x):
        return torch.tanh(self.layer(x)) * self.scale


def nothing_to_train(features):
    return nn.Sequential(nn.ReLU(), nn.ConstantPad1d((0, 6 - features), 0.0))


@pytest.mark.parametrize("weighting", [Weighting, _Rows])
@pytest.mark.parametrize("trunk", [_Functional, _Scaled, nothing_to_train])
def test_unusual_trunks(trunk, weighting):
    class Method(_OwnModel):
        def weighting(self, dataset):
            return weighting()

        def build(self, fold, tasks):
            module = super().build(fold, tasks)
            module.trunk = trunk(fold.dataset.features.shape[1])
            return module

    work = make_work((0.3, 2.0), clip_norm=1.0, patience=5)
    assert (prepare(Method(), work).network.chain is not None) == (trunk is _Functional)
    if trunk is nothing_to_train and weighting is _Rows:
        assert [p.status for p in Method().train(work).predictions] == ["ok", "ok"]
    else:
        assert_agrees(Method(), work)


def test_heads_that_are_one_module_are_refused():
    class Method(_OwnModel):
        def build(self, fold, tasks):
            module = super().build(fold, tasks)
            module.heads["z"] = module.heads["y"]
            return module

    with pytest.raises(PluginError, match=r"'heads\.y\.weight' and as 'heads\.z\.weight'"):
        Method().train(make_work((0.3, 2.0)))


# rules whose parents claim more than they keep


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
    class Method(Weighted):
        def weighting(self, dataset):
            return rule

    assert_agrees(Method(architecture=SMALL), make_work((0.3, 2.0), lr=0.02))


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


class _OneTrialScales(Weighted):
    """Right for one trial; over a stack of two it would be transposed."""

    def loss_scales(self, tasks, tradeoff):
        return torch.stack([torch.ones_like(tradeoff), tradeoff])


@pytest.mark.parametrize("values", [(0.3, 2.0), (0.3, 1.0, 2.0)])
def test_scales_written_for_one_trial(values):
    assert_agrees(_OneTrialScales(architecture=SMALL), make_work(values))


class _Dropped(_OwnModel):
    dropout = 0.4


class _OneByOne(_OwnModel):
    trunk = _Branching


@pytest.mark.parametrize("method", [_OwnModel, _Dropped])
def test_other_modules_are_mapped_with_the_same_numbers(method):
    trained = assert_agrees(method(), make_work((0.3, 2.0)))
    assert "torch.vmap" in trained.notes[0]


def test_what_cannot_be_stacked_trains_one_by_one_with_the_same_numbers():
    trained = assert_agrees(_OneByOne(), make_work((0.3, 2.0)))
    assert "one by one" in trained.notes[0]
