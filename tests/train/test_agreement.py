"""The engine against a plain loop: the same numbers for every way of training there is.

Each case takes at least 200 steps in float64 and must agree to 1e-9 in units of the target.
"""

from itertools import pairwise

import numpy as np
import pytest

from fairbench_baselines.adversarial import Adversarial
from fairbench_baselines.dynamic_reweighting import DynamicReweighting
from fairbench_baselines.group_dro import GroupDRO
from fairbench_baselines.single_task import SingleTask
from fairbench_paper.static_alpha import StaticAlpha
from tests.train.agreement import SMALL, VALUES, assert_agrees
from tests.train.conftest import make_dataset, make_work
from tests.train.joint import joint
from tests.train.plain import plain_fit, plain_module, plain_predict

pytestmark = pytest.mark.usefixtures("each_kernel")


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


def test_learning_rates_stay_with_their_trials():
    """Also when those before them in the stack have stopped."""
    work = make_work((4.4, 0.5, 3.3, 2.0), lr=0.03, patience=2, seeds=(0, 1))
    trained = assert_agrees(_OwnRates(architecture=SMALL), work)
    epochs = [int(prediction.record["epochs"]) for prediction in trained.predictions]
    assert any(one < other for one, other in pairwise(epochs))


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
        (joint("uncertainty"), 4),
        (joint("dwa"), 4),
        (joint("gradnorm"), 4),
        (joint("pcgrad"), None),
        (joint("mgda"), None),
        (joint("cagrad"), None),
        (joint("equal"), None),
    ],
)
def test_weightings(method, patience):
    work = make_work((0.1, 3.0), patience=patience)
    assert_agrees(method(architecture=SMALL), work)


def test_a_noisy_weighting_draws_from_each_trials_own_generator():
    method = joint("random")(architecture=SMALL)
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
