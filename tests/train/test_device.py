"""A step stays on its device, and nothing in it waits for that device.

torch's device ``meta`` holds shapes without numbers: an operation that mixes devices fails there,
and so does whatever would have to know a number (``item()``, ``if tensor:``, a mask as index).
What passes lets a GPU run ahead of what Python prepares.
"""

import dataclasses

import pytest

from fairbench.train.batch import visits_of
from fairbench.train.rules import Rules
from fairbench_baselines.adversarial import Adversarial
from fairbench_baselines.dynamic_reweighting import DynamicReweighting
from fairbench_baselines.group_dro import GroupDRO
from fairbench_baselines.single_task import SingleTask
from fairbench_paper.static_alpha import StaticAlpha
from tests.train.conftest import begun, make_dataset, make_work
from tests.train.joint import joint


def losses_elsewhere(method, work):
    """The mean losses of an epoch on another device."""
    here = begun(method, work)
    here.epoch(0)  # which looks at numbers to see how rules are lifted
    lifted = here.steps._rules._lifted
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Rules, "_call", lambda self, name, rule, *given: lifted[name](*given))
        there = begun(method, dataclasses.replace(work, device="meta"))
        visits = visits_of(there.prepared.train, there.orders, there.streams)
        return there.steps.epoch(visits, there.sizes, 0.01, 0, 18)


@pytest.mark.parametrize(
    "method",
    [
        StaticAlpha,
        SingleTask,
        joint("equal"),
        joint("uncertainty"),
        joint("dwa"),
        joint("pcgrad"),
        joint("mgda"),
        joint("cagrad"),
        joint("gradnorm"),
        joint("famo"),
        joint("moco"),
        joint("graddrop"),
        joint("excess-mtl"),
        joint("db-mtl"),
        GroupDRO,
        Adversarial,
        DynamicReweighting,
    ],
)
@pytest.mark.parametrize("kind", ["binary", "continuous"])
def test_steps_stay_on_the_device(method, kind):
    values = (None,) if method().tradeoff is None else (0.5, 1.5)
    work = make_work(
        values, make_dataset(kind), epochs=3, clip_norm=1.0, dtype="float32", kernel="torch"
    )
    assert losses_elsewhere(method(), work).device.type == "meta"


@pytest.mark.parametrize("architecture", [{"dropout": 0.3}, {"batch_norm": True}])
def test_layers_stay_on_the_device(architecture):
    method = StaticAlpha(architecture=architecture)
    losses = losses_elsewhere(method, make_work((0.5, 1.5), epochs=3, kernel="torch"))
    assert losses.device.type == "meta"


def test_waiting_is_noticed():
    class Curious(StaticAlpha):
        def losses(self, tasks, outputs, batch, tradeoff):
            losses = super().losses(tasks, outputs, batch, tradeoff)
            return losses if losses.sum() > 0 else -losses

    with pytest.raises(RuntimeError, match="meta"):
        losses_elsewhere(Curious(), make_work((0.5, 1.5), epochs=3, kernel="torch"))
