"""Steps that are recorded and replayed; that they learn what others do is tested with each kernel.

A CUDA graph is stood in for by a tape of operations (`tape.py`), which like it knows memory only.
"""

from contextlib import contextmanager
from dataclasses import replace
from functools import partial

import pytest
import torch

from fairbench.errors import StudyError
from fairbench.train import graph
from fairbench.train.batch import visits_of
from fairbench.weighting import Weighting
from fairbench_baselines.group_dro import GroupDRO
from fairbench_baselines.weighted import Joint
from fairbench_paper.static_alpha import StaticAlpha
from fairbench_weightings.pcgrad import PCGrad
from tests.train import tape
from tests.train.agreement import SMALL, VALUES
from tests.train.conftest import begun, make_work
from tests.train.joint import joint

METHODS = [
    StaticAlpha,
    joint("equal"),
    joint("uncertainty"),
    joint("dwa"),
    joint("pcgrad"),
    joint("gradnorm"),
    GroupDRO,
]


@pytest.fixture
def counted(monkeypatch):
    """How often a step was recorded, and how often one was replayed."""
    counts = {"recorded": 0, "replayed": 0}

    def record(step):
        again = tape.record(step)
        counts["recorded"] += 1

        def replay():
            counts["replayed"] += 1
            again()

        return replay

    monkeypatch.setattr("fairbench.kernel.chosen", lambda wanted, _device: wanted)
    monkeypatch.setattr("fairbench.train.graph.record", record)
    return counts


def trained(method, kernel, **training):
    values = (None,) if method.tradeoff is None else VALUES
    return method.train(make_work(values, kernel=kernel, **training))


@pytest.mark.parametrize("kind", METHODS)
def test_every_step_but_the_first_of_a_size_is_replayed(counted, kind):
    result = trained(kind(architecture=SMALL), "graph", epochs=4)  # 6 steps each, the last shorter
    assert counts_of(counted) == (2, 4 * 6 - 2 - 2)
    assert not any("recorded" in note for note in result.notes)


@pytest.mark.parametrize("kind", METHODS)
def test_replayed_steps_have_the_bits_of_those_taken_one_by_one(counted, kind, monkeypatch):
    method = kind(architecture={**SMALL, "dropout": 0.2})
    settings = {"epochs": 5, "schedule": "step", "clip_norm": 1.0, "dtype": "float32"}
    replayed = trained(method, "graph", **settings)
    assert counted["replayed"] > 0
    monkeypatch.setattr("fairbench.train.graph.record", refuse)
    plain = trained(method, "graph", **settings)
    assert plain.notes == [*replayed.notes, "steps are not recorded: RuntimeError"]
    assert_same_bits(plain, replayed)


def refuse(step):
    raise RuntimeError


def assert_same_bits(one, two):
    for left, right in zip(one.predictions, two.predictions, strict=True):
        assert (left.test == right.test).all()


class Doubles(Weighting):
    """A state of another precision than the study's, from the first step on."""

    def initial_state(self, tasks):
        return {"mean": torch.ones(tasks)}

    def weights(self, step):
        mean = 0.9 * step.state["mean"].double() + 0.1 * step.losses
        return 1 / mean.to(step.losses.dtype), {"mean": mean}


def test_a_state_keeps_its_precision(counted):
    settings = {"epochs": 4, "dtype": "float32"}
    one, two = (trained(method_of(Doubles), k, **settings) for k in ("torch", "graph"))
    assert abs(one.predictions[0].test - two.predictions[0].test).max() < 1e-6
    assert "steps are not recorded: the state of Doubles changes its form" in two.notes


class Lottery(Weighting):
    """Weights drawn once an epoch."""

    constant = noisy = True

    def weights(self, step):
        return torch.softmax(step.noise, -1) + 0 * step.losses, step.state


def test_noise_of_an_epoch(counted):
    one, two = (trained(method_of(Lottery), k, epochs=40, patience=3) for k in ("torch", "graph"))
    assert abs(one.predictions[0].test - two.predictions[0].test).max() < 1e-9
    assert counted["replayed"] > 0


def method_of(rule):
    class Method(Joint):
        def weighting(self, dataset):
            return rule()

    return Method(architecture=SMALL)


class Ramp(Weighting):
    """Weights that an epoch begins with."""

    constant = True

    def weights(self, step):
        return 1 + step.progress.unsqueeze(-1) + torch.zeros_like(step.losses), step.state


def test_weights_of_an_epoch_reach_recorded_steps(counted):
    settings = {"epochs": 5, "optimizer": "sgd"}
    ramped = [trained(method_of(Ramp), k, **settings) for k in ("torch", "graph")]
    level = trained(joint("equal")(architecture=SMALL), "graph", **settings)
    one, two, other = (each.predictions[0].test for each in (*ramped, level))
    assert (one == two).all()
    assert abs(one - other).max() > 0.01


def test_a_rate_that_changes_is_recorded_anew(counted):
    trained(StaticAlpha(architecture=SMALL), "graph", epochs=5, schedule="cosine")
    assert counts_of(counted) == (1 + 4 * 2, 3 + 4 * 4)  # the first epoch has one short batch


class Curious(StaticAlpha):
    """Has to know a number in the midst of a step."""

    def losses(self, tasks, outputs, batch, tradeoff):
        losses = super().losses(tasks, outputs, batch, tradeoff)
        return losses if float(losses.detach().sum()) >= 0 else -losses


def test_what_cannot_be_recorded_trains_step_by_step(counted):
    method = Curious(architecture=SMALL)
    one, two = (
        trained(method, kernel, epochs=40, patience=2, lr=0.03) for kernel in ("torch", "graph")
    )
    assert counted == {"recorded": 0, "replayed": 0}
    assert_same_bits(one, two)
    (note,) = (note for note in two.notes if "recorded" in note)
    assert "not permitted when stream is capturing" in note


class Residual(torch.nn.Module):
    """Of no known chain: its trunk goes through autograd."""

    def __init__(self, width):
        super().__init__()
        self.inner, self.norm = torch.nn.Linear(width, width), torch.nn.LayerNorm(width)

    def forward(self, x):
        return self.norm(x + torch.tanh(self.inner(x)))


class OwnTrunk:
    def build(self, fold, tasks):
        module = super().build(fold, tasks)
        module.trunk = torch.nn.Sequential(Residual(7), torch.nn.Linear(7, 6))
        return module


class OwnModel(OwnTrunk, Joint):
    pass


OwnModelByGradients = partial(OwnModel, rule=PCGrad())


@pytest.mark.parametrize("kind", [OwnModel, OwnModelByGradients])
def test_other_models_are_recorded_too(counted, kind):
    method = kind(architecture=SMALL)
    assert_same_bits(*(trained(method, kernel, epochs=6) for kernel in ("torch", "graph")))
    assert counted["replayed"] > 0


def test_no_step_holds_on_to_the_one_before():
    """A CUDA graph cannot reach out to nodes that autograd made before it."""
    run = begun(OwnModel(architecture=SMALL), make_work((None,), kernel="torch"))
    engine, found = run.steps._engine, []
    visits = visits_of(run.setup.train, run.orders, run.streams)
    parameter = run.steps.stack.parameters["trunk.1.weight"]
    engine.look(visits, 0, 16)
    node = torch.autograd.graph.get_gradient_edge(parameter).node
    node.register_prehook(found.append)
    del node
    engine.look(visits, 16, 16)
    torch.autograd.backward(engine._net._hidden.sum(), inputs=[parameter])
    assert not found


def test_a_stack_that_shrinks_is_recorded_anew(counted):
    result = trained(
        StaticAlpha(architecture=SMALL), "graph", epochs=60, patience=2, lr=0.03, seeds=(0, 1)
    )
    assert len({int(p.record["epochs"]) for p in result.predictions}) > 1
    assert counted["recorded"] > 2


def test_it_takes_a_gpu():
    with pytest.raises(StudyError, match="on a GPU, not on cpu") as caught:
        trained(StaticAlpha(architecture=SMALL), "graph")
    assert "--device cuda" in caught.value.hint


def counts_of(counted):
    return counted["recorded"], counted["replayed"]


class FakeGraph:
    """Stands in for torch's: what happens within is only written down."""

    def __init__(self):
        self.replays = 0

    def replay(self):
        self.replays += 1


@contextmanager
def fake_capture(graph):
    """Ends as torch's does where a recording broke: with an error that says no more than that."""
    try:
        yield
    except RuntimeError:
        raise RuntimeError("capture failed due to a previous error") from None


@pytest.fixture
def streams(monkeypatch):
    """Which streams were made the current one."""
    made_current = []
    monkeypatch.setattr("torch.cuda.CUDAGraph", FakeGraph)
    monkeypatch.setattr("torch.cuda.graph", fake_capture)
    monkeypatch.setattr("torch.cuda.current_stream", lambda: "main")
    monkeypatch.setattr("torch.cuda.set_stream", made_current.append)
    return made_current


def test_a_step_that_is_recorded_has_been_taken_once(streams):
    steps = []
    again = graph.record(lambda: steps.append(1))
    assert steps == [1]
    assert again.__self__.replays == 1
    again()
    assert again.__self__.replays == 2
    assert streams == []


def test_a_recording_that_broke_says_why_and_goes_back_to_its_stream(streams):
    def step():
        message = "operation not permitted when stream is capturing"
        raise RuntimeError(message)

    with pytest.raises(RuntimeError, match="not permitted when stream is capturing"):
        graph.record(step)
    assert streams == ["main"]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
@pytest.mark.parametrize("kind", METHODS)
@pytest.mark.parametrize("architecture", [{}, {"dropout": 0.2}, {"batch_norm": True}], ids=str)
def test_a_gpu_replays_what_it_would_have_done(kind, architecture):
    assert_a_gpu_replays(kind(architecture={**SMALL, **architecture}))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
@pytest.mark.parametrize("kind", [OwnModel, OwnModelByGradients])
def test_a_gpu_replays_other_models(kind):
    assert_a_gpu_replays(kind(architecture=SMALL))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_a_gpu_says_what_could_not_be_recorded():
    work = replace(make_work(VALUES, kernel="graph", epochs=3), device="cuda")
    (note,) = Curious(architecture=SMALL).train(work).notes[-1:]
    assert "not permitted when stream is capturing" in note


def assert_a_gpu_replays(method):
    found = []
    for kernel in ("torch", "graph"):
        work = make_work(VALUES if method.tradeoff else (None,), kernel=kernel, epochs=6)
        found.append(method.train(replace(work, device="cuda")))
    for plain, replayed in zip(*(each.predictions for each in found), strict=True):
        assert abs(plain.test - replayed.test).max() < 1e-9
    assert not any("recorded" in note for note in found[1].notes)
