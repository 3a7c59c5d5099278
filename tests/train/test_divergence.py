"""A trial that diverges is marked, and leaves its neighbours untouched to the bit."""

import numpy as np
import pytest
import torch
from torch import nn

from fairbench.train import NetworkMethod, target_tasks
from fairbench.weighting import Weighting
from tests.train.conftest import begun, make_work

pytestmark = pytest.mark.usefixtures("each_kernel")


class _Explosive(NetworkMethod):
    """A loss that becomes infinite in trials whose trade-off value is above 1."""

    def tasks(self, dataset):
        return target_tasks(dataset)

    def weighting(self, dataset):
        return Weighting()

    def build(self, fold, tasks):
        module = nn.Module()
        module.trunk = nn.Sequential(nn.Linear(7, 9), nn.ReLU())
        module.heads = nn.ModuleDict({"y": nn.Linear(9, 1)})
        return module

    def losses(self, tasks, outputs, batch, tradeoff):
        error = (outputs["y"] - batch.columns["y"]).square().mean((-2, -1))
        return (error * torch.where(tradeoff > 1, 1e38 * tradeoff, 1.0))[..., None]


@pytest.mark.parametrize("patience", [None, 2])
def test_neighbours_of_a_diverged_trial_do_not_change_by_a_bit(patience):
    settings = {"dtype": "float32", "optimizer": "sgd", "epochs": 6, "patience": patience}
    calm = _Explosive().train(make_work((0.1, 0.2, 0.3), **settings)).predictions
    struck = _Explosive().train(make_work((0.1, 9.0, 0.3), **settings)).predictions
    assert [p.status for p in struck] == ["ok", "diverged", "ok"]
    assert "epoch 1" in struck[1].note
    assert np.isnan(struck[1].test).all()
    for lane in (0, 2):
        np.testing.assert_array_equal(struck[lane].test, calm[lane].test)
        np.testing.assert_array_equal(struck[lane].validation, calm[lane].validation)


def test_a_diverged_trial_stays_beside_those_that_go_on():
    work = make_work((0.1, 9.0, 0.3), dtype="float32", optimizer="sgd", patience=2, epochs=40)
    run = begun(_Explosive(), work)
    sizes = []
    for epoch in range(6):
        run.epoch(epoch)
        sizes.append(run.steps.stack.lanes)
    assert run.finite.tolist() == [True, False, True]
    assert sizes == [3] * 6


def test_only_steps_before_divergence_are_counted():
    work = make_work((9.0,), dtype="float32", optimizer="sgd", epochs=50)
    trained = _Explosive().train(work)
    assert trained.predictions[0].status == "diverged"
    assert trained.model_steps == 6


def test_early_stopping_beside_a_diverged_trial():
    work = make_work((0.1, 9.0, 0.3), dtype="float32", patience=3, epochs=40, optimizer="sgd")
    predictions = _Explosive().train(work).predictions
    assert [p.status for p in predictions] == ["ok", "diverged", "ok"]
    assert all(np.isfinite(predictions[lane].test).all() for lane in (0, 2))
