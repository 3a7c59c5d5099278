"""Trainings of odd sizes for the compiled kernel, drawn by hypothesis."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from hypothesis import strategies as st
from torch import nn

from fairbench.dataset import Card, Dataset, Protected
from fairbench.fold import Fold, Split
from fairbench.method import Trial, Work
from fairbench.model import Task
from fairbench.train import NetworkMethod, protected_task, target_tasks
from fairbench.training import Training
from fairbench.weighting import Weighting

ODD = (1, 2, 3, 5, 7, 8, 9, 15, 16, 17, 31, 33)
"""Rows, features and widths around the lengths of vectors."""

LANES = (1, 2, 3, 63, 64, 65)
HEADS = (1, 1, 2, 3, 7, 17, 63)
ACTIVATIONS = {"relu": nn.ReLU, "tanh": nn.Tanh, "sigmoid": nn.Sigmoid}
REVERSED = 0.7


class ByGramian(Weighting):
    """Any number of tasks, weighed by the lengths of their gradients and what they share."""

    needs = "gramian"

    def weights(self, step):
        squares = step.gramian.diagonal(dim1=-2, dim2=-1)
        shared = step.gramian.sum(-1) / (1 + step.gramian.diagonal(dim1=-2, dim2=-1).sum(-1, True))
        return 1 / (1 + squares) + 0.1 * torch.tanh(shared), step.state


class Sorted(ByGramian):
    """What has no translation, so that torch is asked at every step."""

    def weights(self, step):
        weights, state = super().weights(step)
        return weights * (1 + step.losses.sort(-1).values), state


class Learned(Weighting):
    """Parameters of its own, and a state."""

    def initial_parameters(self, tasks):
        return {"scales": torch.zeros(tasks)}

    def initial_state(self, tasks):
        return {"mean": torch.ones(tasks), "steps": torch.zeros(1)}

    def objective(self, losses, step):
        mean = 0.9 * step.state["mean"] + 0.1 * losses.detach()
        s = step.parameters["scales"]
        state = {"mean": mean, "steps": step.state["steps"] + 1}
        return ((-s).exp() * losses / mean + s).sum(-1), state


class Noisy(Weighting):
    noisy = True

    def weights(self, step):
        return step.noise.softmax(-1), step.state


class Reversed(Weighting):
    """Another gradient for the trunk than for the heads."""

    def trunk_scale(self, step):
        scale = torch.ones_like(step.losses)
        last = torch.arange(scale.shape[-1]) == scale.shape[-1] - 1
        return torch.where(last, -REVERSED, scale)


WEIGHTINGS = {
    "sum": Weighting,
    "gramian": ByGramian,
    "sorted": Sorted,
    "learned": Learned,
    "noisy": Noisy,
    "reversed": Reversed,
}


@dataclass(frozen=True)
class Case:
    """One training: what the kernel is asked to do."""

    rows: int
    validation: int
    features: int
    trunk: tuple[tuple[str, Any], ...]
    heads: int
    attribute: str | None
    weighting: str
    losses: str
    values: int
    seeds: int
    training: dict[str, Any]


@st.composite
def cases(draw) -> Case:
    """Any of them, as small as training allows: odd sizes matter, not long trainings."""
    rows = draw(st.sampled_from(ODD) | st.integers(1, 70))
    batch = draw(st.sampled_from(ODD) | st.integers(1, 90))
    lanes = draw(st.sampled_from(LANES))
    seeds = draw(st.sampled_from([n for n in (1, 2, 3, 5) if lanes % n == 0]))
    heads = draw(st.sampled_from(HEADS)) if lanes < 63 else draw(st.sampled_from((1, 2, 3)))
    several = min(batch, rows) > 1 and rows % batch != 1  # rows in every batch
    trunk = draw(st.lists(layers(several), max_size=6).map(tuple))
    return Case(
        rows=rows,
        validation=draw(st.sampled_from(ODD)),
        features=draw(st.sampled_from(ODD)),
        trunk=trunk,
        heads=heads,
        attribute=draw(st.sampled_from((None, "binary", "categorical", "continuous"))),
        weighting=draw(st.sampled_from(tuple(WEIGHTINGS))),
        losses=draw(st.sampled_from(tuple(METHODS))),
        values=lanes // seeds,
        seeds=seeds,
        training=draw(settings(batch, rows, lanes)),
    )


def layers(several: bool) -> st.SearchStrategy[tuple[str, Any]]:
    widths = st.sampled_from(ODD) | st.integers(1, 70)
    linear = st.tuples(st.just("linear"), st.tuples(widths, st.booleans()))
    kinds = [
        linear,
        linear,
        st.tuples(st.sampled_from(tuple(ACTIVATIONS)), st.none()),
        st.tuples(st.just("dropout"), st.sampled_from((0.0, 0.1, 0.5, 0.9))),
    ]
    if several:
        kinds.append(st.tuples(st.just("norm"), st.sampled_from((0.1, 0.9))))
    return st.one_of(kinds)


def settings(batch: int, rows: int, lanes: int) -> st.SearchStrategy[dict[str, Any]]:
    steps = -(-rows // batch)
    most = max(1, min(6, (40 if lanes < 63 else 8) // steps))
    return st.fixed_dictionaries(
        {
            "batch_size": st.just(batch),
            "epochs": st.integers(1, most),
            "optimizer": st.sampled_from(("adam", "adamw", "sgd")),
            "momentum": st.sampled_from((0.0, 0.9)),
            "weight_decay": st.sampled_from((0.0, 0.01)),
            "schedule": st.sampled_from(("constant", "cosine", "step")),
            "clip_norm": st.sampled_from((None, 0.1)),
            "patience": st.sampled_from((None, 1, 2)),
            "lanes": st.sampled_from((1, 64, 65)) if lanes < 63 else st.just(lanes),
        }
    )


@dataclass(frozen=True)
class Fuzzed(NetworkMethod):
    """The method of a case."""

    case: Case | None = None

    def tasks(self, dataset):
        protected = () if self.case.attribute is None else (protected_task(dataset),)
        return (*target_tasks(dataset), *protected)

    def weighting(self, dataset):
        return WEIGHTINGS[self.case.weighting]()

    def build(self, fold, tasks):
        made, width = [], fold.dataset.features.shape[1]
        for kind, option in self.case.trunk:
            if kind == "linear":
                made.append(nn.Linear(width, option[0], bias=option[1]))
                width = option[0]
            elif kind == "norm":
                made.append(nn.BatchNorm1d(width, momentum=option))
            else:
                made.append(nn.Dropout(option) if kind == "dropout" else ACTIVATIONS[kind]())
        return Module(nn.Sequential(*made), width, tasks)


@dataclass(frozen=True)
class FuzzedScales(Fuzzed):
    """The same with factors on the default losses."""

    def loss_scales(self, tasks, tradeoff):
        return super().loss_scales(tasks, tradeoff) * (1 + tradeoff.unsqueeze(-1))


@dataclass(frozen=True)
class FuzzedLosses(Fuzzed):
    """The same with losses of its own, which torch works out from the kernel's outputs."""

    def losses(self, tasks, outputs, batch, tradeoff):
        losses = super().losses(tasks, outputs, batch, tradeoff)
        return losses * (1 + 0.1 * tradeoff), {}


class Module(nn.Module):
    def __init__(self, trunk: nn.Module, width: int, tasks: tuple[Task, ...]) -> None:
        super().__init__()
        self.trunk = trunk
        self.heads = nn.ModuleDict({task.name: nn.Linear(width, task.width) for task in tasks})

    def forward(self, x):
        hidden = self.trunk(x)
        return {name: head(hidden) for name, head in self.heads.items()}


METHODS = {"default": Fuzzed, "scaled": FuzzedScales, "own": FuzzedLosses}


def method_of(case: Case) -> Fuzzed:
    return METHODS[case.losses](case=case)


def work_of(case: Case, dtype: str) -> Work:
    sizes = (case.rows, case.validation, 3)
    total = sum(sizes)
    random = np.random.default_rng(total)
    kind = case.attribute or "binary"
    labels = ("a", "b", "c") if kind == "categorical" else ("a", "b")
    groups = np.arange(total) % len(labels)
    values = random.normal(size=total) if kind == "continuous" else groups.astype(np.float64)
    x = random.normal(size=(total, case.features))
    y = random.normal(size=(total, case.heads)) + x[:, :1] + groups[:, None]
    dataset = Dataset(
        "fuzz",
        x,
        tuple(f"x{i}" for i in range(case.features)),
        y,
        tuple(f"t{i}" for i in range(case.heads)),
        (Protected("g", kind, values, groups, labels),),
        None,
        "",
        Card("Fuzz", "made here", "CC0"),
    )
    split = Split(*np.split(np.arange(total), np.cumsum(sizes)[:-1]))
    trials = [
        Trial("fuzz", "m", 0.5 + 0.1 * value, seed, 0)
        for seed in range(case.seeds)
        for value in range(case.values)
    ]
    training = Training(kernel="compiled", dtype=dtype, **case.training)
    return Work(trials, Fold(dataset, split), training, entropy=3)
