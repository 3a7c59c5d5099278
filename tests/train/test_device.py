"""Nothing in a step waits for the device: a GPU can run ahead of what Python prepares."""

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from fairbench.train import fit
from fairbench.train.setup import prepare
from fairbench_baselines.adversarial import Adversarial
from fairbench_baselines.dynamic_reweighting import DynamicReweighting
from fairbench_baselines.group_dro import GroupDRO
from fairbench_baselines.single_task import SingleTask
from fairbench_baselines.weighted import Cagrad, Dwa, Equal, Gradnorm, Mgda, Pcgrad, Uncertainty
from fairbench_paper.static_alpha import StaticAlpha
from tests.train.conftest import make_dataset, make_work

WAITING = {
    torch.ops.aten._local_scalar_dense.default,  # item(), bool(), float(), if tensor:
    torch.ops.aten.nonzero.default,  # a shape that depends on values
    torch.ops.aten.masked_select.default,
    torch.ops.aten.equal.default,
    torch.ops.aten.unique_consecutive.default,
    torch.ops.aten._unique2.default,
}


class Watch(TorchDispatchMode):
    """Notes operations whose result the host has to wait for."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        by_mask = operation is torch.ops.aten.index.Tensor and any(
            index is not None and index.dtype == torch.bool for index in args[1]
        )
        if operation in WAITING or by_mask:
            self.seen.append(str(operation))
        return operation(*args, **(kwargs or {}))


def waits(method, work):
    """What waits in an epoch's steps, the first epoch, which looks at rules, left out."""
    setup = prepare(method, work)
    watch = Watch()

    class Watched(fit._Run):
        watching = False

        def step(self, *args):
            if not self.watching:
                return super().step(*args)
            with watch:
                return super().step(*args)

    run = Watched(setup, work.trials, fit.Weights(*setup.initial(work.trials)))
    run.epoch(0)
    run.watching = True
    run.epoch(1)
    return watch.seen


@pytest.mark.parametrize(
    "method",
    [
        StaticAlpha,
        SingleTask,
        Equal,
        Uncertainty,
        Dwa,
        Pcgrad,
        Mgda,
        Cagrad,
        Gradnorm,
        GroupDRO,
        Adversarial,
        DynamicReweighting,
    ],
)
@pytest.mark.parametrize("kind", ["binary", "continuous"])
def test_no_step_waits_for_the_device(method, kind):
    values = (None,) if method().tradeoff is None else (0.5, 1.5)
    work = make_work(values, make_dataset(kind), epochs=3, clip_norm=1.0, dtype="float32")
    assert waits(method(), work) == []


@pytest.mark.parametrize("architecture", [{"dropout": 0.3}, {"batch_norm": True}])
def test_no_layer_waits_for_the_device(architecture):
    method = StaticAlpha(architecture=architecture)
    assert waits(method, make_work((0.5, 1.5), epochs=3)) == []


def test_waiting_would_be_noticed():
    class Curious(StaticAlpha):
        def losses(self, tasks, outputs, batch, tradeoff):
            losses = super().losses(tasks, outputs, batch, tradeoff)
            return losses if losses.sum() > 0 else -losses

    assert waits(Curious(), make_work((0.5, 1.5), epochs=3)) != []
