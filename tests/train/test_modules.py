"""The engine against a plain loop: modules of every shape, stacked by hand, by autograd or not."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from fairbench.errors import PluginError
from fairbench.method import Tradeoff
from fairbench.train import NetworkMethod, protected_task, target_tasks, task_losses
from fairbench.train.setup import prepare
from fairbench.weighting import Weighting
from tests.train.agreement import assert_agrees
from tests.train.conftest import make_work

pytestmark = pytest.mark.usefixtures("each_kernel")


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


def with_trunk(trunk, weighting):
    """The method above with another trunk and weighting."""

    class Method(_OwnModel):
        def weighting(self, dataset):
            return weighting()

        def build(self, fold, tasks):
            module = super().build(fold, tasks)
            module.trunk = trunk(fold.dataset.features.shape[1])
            return module

    return Method()


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


@pytest.mark.parametrize("each_kernel", ["compiled", "torch"], indirect=True)
@pytest.mark.parametrize("weighting", [Weighting, _Rows])
@pytest.mark.parametrize("trunk", [in_a_row, begins_with_norm, _Twice, with_a_subclass])
def test_chains_of_layers(trunk, weighting):
    method = with_trunk(trunk, weighting)
    work = make_work((0.3, 2.0), seeds=(0, 1), lr=0.03)
    by_hand = prepare(method, work).module.layers is not None
    assert by_hand == (trunk in (in_a_row, begins_with_norm))
    assert_agrees(method, work)


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
    method = with_trunk(trunk, weighting)
    work = make_work((0.3, 2.0), clip_norm=1.0, patience=5)
    assert (prepare(method, work).module.layers is not None) == (trunk is _Functional)
    if trunk is nothing_to_train and weighting is _Rows:
        assert [p.status for p in method.train(work).predictions] == ["ok", "ok"]
    else:
        assert_agrees(method, work)


def test_heads_that_are_one_module_are_refused():
    class Method(_OwnModel):
        def build(self, fold, tasks):
            module = super().build(fold, tasks)
            module.heads["z"] = module.heads["y"]
            return module

    with pytest.raises(PluginError, match=r"'heads\.y\.weight' and as 'heads\.z\.weight'"):
        Method().train(make_work((0.3, 2.0)))


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
