"""The compiled kernel: which networks it trains, and that trials are alone in it."""

import dataclasses

import numpy as np
import pytest
import torch
from torch import nn

from fairbench.errors import PluginError
from fairbench.train import NetworkMethod, target_tasks
from fairbench.train.by_kernel.learner import KernelLearner
from fairbench.train.by_torch.learner import TorchLearner
from fairbench.weighting import Weighting
from fairbench_baselines.adversarial import Adversarial
from fairbench_baselines.group_dro import GroupDRO
from fairbench_paper.static_alpha import StaticAlpha
from tests.train.agreement import SMALL, assert_agrees
from tests.train.conftest import begun, make_dataset, make_work
from tests.train.joint import joint

VALUES = (0.3, 1.0, 2.5, 4.0, 4.9)


class _Module(nn.Module):
    def __init__(self, trunk, names):
        super().__init__()
        width = trunk(torch.zeros(2, 7)).shape[1]
        self.trunk = trunk
        self.heads = nn.ModuleDict({name: nn.Linear(width, 1) for name in names})

    def forward(self, x):
        hidden = self.trunk(x)
        return {name: head(hidden) for name, head in self.heads.items()}


class _Trunk(NetworkMethod):
    """A chain of layers behind seven features, with a linear head."""

    layers = ()

    def tasks(self, dataset):
        return target_tasks(dataset)

    def weighting(self, dataset):
        return Weighting()

    def build(self, fold, tasks):
        trunk = nn.Sequential(*(layer() for layer in self.layers))
        return _Module(trunk, [task.name for task in tasks])


def trunk(*layers):
    return type("Made", (_Trunk,), {"layers": layers})()


L, R, T, S, D = nn.Linear, nn.ReLU, nn.Tanh, nn.Sigmoid, nn.Dropout
TRUNKS = {
    "none": (),
    "activation first": (T, lambda: L(7, 5)),
    "norm first": (lambda: nn.BatchNorm1d(7), lambda: L(7, 5), R),
    "dropout first": (lambda: D(0.4), lambda: L(7, 17), S),
    "activations in a row": (lambda: L(7, 16), T, R, S, T),
    "linear in a row": (lambda: L(7, 3), lambda: L(3, 33, bias=False), lambda: L(33, 1)),
    "without biases": (lambda: L(7, 20, bias=False), R, lambda: L(20, 9, bias=False), T),
    "norm last": (lambda: L(7, 15), R, lambda: nn.BatchNorm1d(15, eps=0.1, momentum=0.7)),
    "several dropouts": (lambda: L(7, 31), R, lambda: D(0.5), lambda: L(31, 6), lambda: D(0.1)),
    "dropout of nothing": (lambda: L(7, 9), R, lambda: D(0.0)),
    "wide": (lambda: L(7, 100), R, lambda: L(100, 70), R, lambda: L(70, 40), S),
}


@pytest.mark.parametrize("layers", TRUNKS.values(), ids=TRUNKS)
def test_trunks(layers):
    work = make_work((None,), make_dataset(targets=3), seeds=(0, 1), kernel="compiled", epochs=20)
    method = trunk(*layers)
    assert isinstance(begun(method, work).steps._learner, KernelLearner)
    assert_agrees(method, work)


def test_dropout_of_everything():
    """Also of what is not a number once it is multiplied."""
    method = trunk(lambda: L(7, 9), R, lambda: D(1.0))
    work = make_work((None,), kernel="compiled", epochs=20)
    (one,) = method.train(work).predictions
    (other,) = method.train(make_work((None,), kernel="torch", epochs=20)).predictions
    np.testing.assert_allclose(one.test, other.test, rtol=0, atol=1e-9)


@pytest.mark.parametrize(
    "layers",
    [
        (lambda: L(7, 5), nn.GELU),
        (lambda: L(7, 5), lambda: nn.LayerNorm(5)),
        (lambda: L(7, 5), lambda: nn.BatchNorm1d(5, affine=False)),
    ],
)
def test_other_networks_train_with_torch(layers):
    work = make_work((None,), kernel="compiled")
    assert isinstance(begun(trunk(*layers), work).steps._learner, TorchLearner)


def test_torch_when_it_is_asked_for():
    work = make_work(VALUES, kernel="torch")
    assert isinstance(begun(StaticAlpha(architecture=SMALL), work).steps._learner, TorchLearner)


def test_a_batch_larger_than_the_table():
    work = make_work(VALUES, batch_size=1000, kernel="compiled", epochs=60)
    assert_agrees(StaticAlpha(architecture=SMALL), work)


METHODS = [
    StaticAlpha,
    joint("uncertainty"),
    joint("pcgrad"),
    joint("cagrad"),
    joint("gradnorm"),
    Adversarial,
    GroupDRO,
]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("patience", [None, 2])
def test_a_trial_has_the_same_bits_alone_and_beside_others(method, patience):
    """Also where the stack shrinks, and however an epoch is cut into calls."""
    method = method(architecture={"hidden": (9, 6), "dropout": 0.2, "batch_norm": True})
    values = (None,) if method.tradeoff is None else VALUES
    work = make_work(values, seeds=(0, 1, 2), dtype="float32", patience=patience, kernel="compiled")
    together = method.train(work).predictions
    for trial, prediction in zip(work.trials, together, strict=True):
        (alone,) = method.train(dataclasses.replace(work, trials=[trial])).predictions
        np.testing.assert_array_equal(alone.test, prediction.test)
        np.testing.assert_array_equal(alone.record["losses"], prediction.record["losses"])


@pytest.mark.parametrize("method", [StaticAlpha, joint("uncertainty"), joint("pcgrad")])
def test_cuts_between_calls_do_not_show(method, monkeypatch):
    method = method(architecture={"hidden": (9, 6), "dropout": 0.2})
    work = make_work(VALUES if method.tradeoff else (None,), dtype="float32", kernel="compiled")
    whole = method.train(work).predictions
    monkeypatch.setattr("fairbench.train.by_kernel.learner.AT_ONCE", 100_000)
    for one, other in zip(whole, method.train(work).predictions, strict=True):
        np.testing.assert_array_equal(one.test, other.test)


@pytest.mark.parametrize(
    "method", [joint("uncertainty"), joint("pcgrad"), joint("gradnorm"), Adversarial]
)
def test_a_rule_in_the_kernel_is_the_rule_of_torch(method, monkeypatch):
    """The same engine, asked step by step."""
    method = method(architecture=SMALL)
    values = (None,) if method.tradeoff is None else VALUES
    work = make_work(values, kernel="compiled")
    assert begun(method, work).steps._rule_taken
    inside = method.train(work).predictions
    monkeypatch.setattr(KernelLearner, "take_rule", lambda *_: None)
    assert not begun(method, work).steps._rule_taken
    for one, other in zip(inside, method.train(work).predictions, strict=True):
        np.testing.assert_allclose(one.test, other.test, rtol=0, atol=1e-9)


@pytest.mark.parametrize("scales", [torch.tensor([1.0, 2.5]), torch.tensor([3]), (1.0, 2.5)])
def test_scales_of_losses_in_another_type_or_shape(scales):
    class Scaled(StaticAlpha):
        def loss_scales(self, tasks, tradeoff):
            if isinstance(scales, tuple):
                return tradeoff.new_tensor(scales)
            return scales.to(tradeoff.device)

    work = make_work(VALUES, kernel="compiled", epochs=20)
    assert_agrees(Scaled(architecture=SMALL), work)


@pytest.mark.parametrize("kernel", ["compiled", "torch"])
def test_a_head_has_the_width_of_its_task(kernel):
    class Wide(_Trunk):
        def build(self, fold, tasks):
            module = _Module(nn.Sequential(nn.Linear(7, 5)), ["y"])
            module.heads["y"] = nn.Linear(5, 3)
            return module

    with pytest.raises(PluginError, match="'y' of model 'mlp' has 3 outputs"):
        Wide().train(make_work((None,), kernel=kernel))


def test_the_weightings_name_is_its_own():
    class Named(_Trunk):
        def build(self, fold, tasks):
            module = _Module(nn.Sequential(nn.Linear(7, 5)), ["y"])
            module.weighting = nn.Linear(2, 2)
            return module

    with pytest.raises(PluginError, match="the weighting's own name"):
        Named().train(make_work((None,)))


def test_an_eps_that_counts_as_nothing_is_for_torch():
    method = trunk(lambda: L(7, 5), lambda: nn.BatchNorm1d(5, eps=1e-40))
    work = make_work((None,), kernel="compiled", dtype="float32")
    assert isinstance(begun(method, work).steps._learner, TorchLearner)
    (prediction,) = method.train(work).predictions
    assert prediction.status == "ok"


def test_dropout_hides_nothing():
    """What is not a number stays so where it is dropped, as in torch."""
    work = make_work((None,), dtype="float32", kernel="compiled", epochs=3)
    work.fold.dataset.features[work.fold.split.train] = np.nan
    (prediction,) = trunk(lambda: D(1.0), lambda: L(7, 5)).train(work).predictions
    assert prediction.status == "diverged"


def test_features_that_are_not_finite_are_a_divergence():
    """An activation must not turn what is not a number into one."""
    work = make_work(VALUES, dtype="float32", kernel="compiled", epochs=3)
    split = work.fold.split
    work.fold.dataset.features[split.train[5], 2] = np.nan
    for prediction in StaticAlpha(architecture=SMALL).train(work).predictions:
        assert prediction.status == "diverged"
