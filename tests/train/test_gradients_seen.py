"""Weightings that see every gradient, or a batch again after its step, against the plain loop."""

from dataclasses import dataclass

import pytest
import torch
from torch import nn

from fairbench.train import NetworkMethod
from fairbench.weighting import Weighting
from fairbench_paper.static_alpha import StaticAlpha
from fairbench_weightings.db_mtl import DualBalancing
from fairbench_weightings.excess_mtl import ExcessMTL
from fairbench_weightings.famo import FAMO
from fairbench_weightings.graddrop import GradDrop
from fairbench_weightings.mgda import MultipleGradientDescent
from fairbench_weightings.moco import MoCo
from fairbench_weightings.modo import MoDo
from fairbench_weightings.sdmgrad import SDMGrad
from tests.train.agreement import SMALL, VALUES, assert_agrees
from tests.train.conftest import make_dataset, make_work


class Rows(Weighting):
    """MGDA from the Jacobian, by the direction that a weighting has unless it gives its own."""

    needs = "jacobian"

    def weights(self, step):
        rows = step.jacobian
        squares, inner = rows.square().sum(-1), rows.prod(-2).sum(-1)
        first = (squares[..., 1] - inner) / (squares.sum(-1) - 2 * inner)
        first = first.clamp(0, 1)
        return torch.stack([first, 1 - first], dim=-1), step.state


RULES = {
    "famo": FAMO(),
    "sdmgrad": SDMGrad(),
    "modo": MoDo(gamma=0.1),
    "moco": MoCo(),
    "moco raw and warm": MoCo(raw=True, warm=True, projection="softmax"),
    "graddrop": GradDrop(leak=0.1),
    "excess-mtl": ExcessMTL(rate=0.5),
    "db-mtl": DualBalancing(),
    "db-mtl by paper": DualBalancing(sigma=0.5),
    "rows": Rows(),
}


@dataclass(frozen=True)
class Asked(StaticAlpha):
    """The paper's network and tasks under a rule of `RULES`."""

    rule: str = "famo"

    def weighting(self, dataset):
        return RULES[self.rule]

    def loss_scales(self, tasks, tradeoff):
        return torch.ones_like(NetworkMethod.loss_scales(self, tasks, tradeoff))


class Bare(Asked):
    """Without a layer before the heads."""

    def build(self, fold, tasks):
        module = nn.Module()
        module.trunk = nn.Tanh()
        module.heads = nn.ModuleDict({task.name: nn.Linear(7, task.width) for task in tasks})
        module.forward = lambda x: {n: head(module.trunk(x)) for n, head in module.heads.items()}
        return module


@pytest.mark.parametrize("rule", RULES)
def test_a_stack_is_the_plain_loop(rule):
    work = make_work((None,), seeds=(0, 1, 2), epochs=6, kernel="auto")
    trained = assert_agrees(Asked(architecture=SMALL, rule=rule), work)
    asks = type(RULES[rule]).after_step is not Weighting.after_step
    asks |= RULES[rule].needs == "jacobian"
    assert any("trains with torch's operations" in note for note in trained.notes) == asks


@pytest.mark.parametrize("rule", ["famo", "moco", "graddrop"])
def test_with_dropout_batch_norm_and_early_stopping(rule):
    """What is looked at again has the same dropout and leaves running statistics alone."""
    architecture = {"hidden": (9, 17), "dropout": 0.3, "batch_norm": True}
    work = make_work((None,), seeds=(0, 1, 2), train=80, epochs=8, patience=1, kernel="torch")
    assert_agrees(Asked(architecture=architecture, rule=rule), work)


@pytest.mark.parametrize("rule", ["famo", "moco", "excess-mtl", "db-mtl"])
def test_many_tasks_and_clipped_gradients(rule):
    work = make_work(
        (None,), make_dataset(targets=4), seeds=(0, 1), epochs=4, clip_norm=0.5, optimizer="sgd"
    )
    assert_agrees(Asked(architecture=SMALL, rule=rule), work)


def test_the_jacobian_is_what_the_gramian_is_made_of():
    by_rows = Asked(architecture=SMALL, rule="rows")
    work = make_work((None,), epochs=6, kernel="torch")
    found = by_rows.train(work).predictions[0].test
    RULES["mgda"] = MultipleGradientDescent()
    other = Asked(architecture=SMALL, rule="mgda")
    torch.testing.assert_close(
        torch.as_tensor(found), torch.as_tensor(other.train(work).predictions[0].test)
    )


@pytest.mark.parametrize("rule", ["famo", "graddrop", "excess-mtl"])
def test_a_trial_is_the_same_beside_others(rule):
    method = Asked(architecture=SMALL, rule=rule)
    together = method.train(make_work(VALUES, seeds=(0, 1), epochs=4, kernel="torch"))
    alone = method.train(make_work(VALUES[1:], seeds=(1,), epochs=4, kernel="torch"))
    torch.testing.assert_close(
        torch.as_tensor(together.predictions[-1].test),
        torch.as_tensor(alone.predictions[0].test),
        rtol=1e-9, atol=1e-9,
    )  # fmt: skip


def test_a_trunk_without_parameters():
    """There is nothing to see, and the heads train."""
    for rule in ("moco", "graddrop", "excess-mtl", "db-mtl"):
        work = make_work((None,), epochs=2, kernel="torch")
        assert_agrees(Bare(rule=rule), work)
