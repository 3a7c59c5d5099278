"""A chunk that would take too much memory is trained in several stacks, with the same numbers."""

import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from fairbench.method import Trial
from fairbench.train import chunk
from fairbench.train.by_torch import engine as by_torch
from fairbench.train.memory import Footprint, stacks_of
from fairbench.train.setup import prepare
from fairbench_paper.static_alpha import StaticAlpha
from tests.train.conftest import make_dataset, make_work
from tests.train.joint import joint

VALUES = (0.5, 2.0, 3.0, 4.4, 4.9)


def chains(count, seeds=1):
    return [[Trial("d", "m", float(i), i * seeds // count, 0)] for i in range(count)]


@pytest.mark.parametrize(
    ("budget", "sizes"),
    [(1000, [7]), (75, [7]), (74, [3, 4]), (40, [2, 2, 3]), (15, [1] * 7), (1, [1] * 7)],
)
def test_the_fewest_even_parts_that_fit(budget, sizes):
    parts = stacks_of(chains(7), Footprint(trial=10, order=5, row=1), budget)
    assert [len(part) for part in parts] == sizes
    assert [c for part in parts for c in part] == chains(7)


def test_each_seed_has_an_order_of_its_own():
    assert len(stacks_of(chains(4), Footprint(1, 100, 1), 104)) == 1
    assert len(stacks_of(chains(4, seeds=2), Footprint(1, 100, 1), 104)) == 2


def test_a_larger_model_batch_or_table_takes_more():
    def footprint(work, **architecture):
        return prepare(StaticAlpha(architecture=architecture), work).footprint

    usual = footprint(make_work(VALUES), hidden=(9, 6))
    assert footprint(make_work(VALUES), hidden=(90, 6)).trial > 3 * usual.trial
    assert footprint(make_work(VALUES), hidden=(9, 6), dropout=0.1).trial > usual.trial
    assert footprint(make_work(VALUES, batch_size=64), hidden=(9, 6)).trial > usual.trial
    many = make_dataset(rows=1400)
    assert footprint(make_work(VALUES, many, train=1300), hidden=(9, 6)).order > 9 * usual.order
    single = footprint(make_work(VALUES, dtype="float32"), hidden=(9, 6))
    assert usual.row == 2 * single.row
    assert usual.order - 8 * 83 == 2 * (single.order - 8 * 83)
    patient = footprint(make_work(VALUES, patience=3), hidden=(9, 6))
    assert patient.trial > usual.trial
    by_gramian, keeps_them, draws_each = (
        prepare(joint(name)(architecture={"hidden": (9, 6)}), make_work(VALUES)).footprint.trial
        for name in ("pcgrad", "moco", "graddrop")
    )
    assert usual.trial < by_gramian < keeps_them < draws_each


@pytest.mark.parametrize("lanes", [1, 3])
def test_rows_are_predicted_a_few_at_once(lanes, monkeypatch):
    work = make_work(VALUES[:lanes], patience=4, epochs=40, kernel="torch")
    method = StaticAlpha(architecture={"hidden": (9, 6)})
    whole = method.train(work)
    footprint = prepare(method, work).footprint
    monkeypatch.setattr(by_torch, "AT_ONCE", 7 * lanes * footprint.row)
    rows = []

    def seen(tensor, at_once):
        rows.append(at_once)
        return torch.split(tensor, at_once)

    monkeypatch.setattr(by_torch, "torch", SimpleNamespace(**{**vars(torch), "split": seen}))
    parts = method.train(work)
    assert min(rows) == 7  # more of them as trials stop
    for one, other in zip(parts.predictions, whole.predictions, strict=True):
        np.testing.assert_allclose(one.test, other.test, rtol=0, atol=1e-9)


@pytest.mark.parametrize("training", [{}, {"chain": 2, "patience": 4}])
def test_stacks_agree_with_one(training, monkeypatch):
    work = make_work(VALUES, seeds=(0, 1), **training)
    method = StaticAlpha(architecture={"hidden": (9, 6), "dropout": 0.2})
    whole = method.train(work)
    stacks = []

    def small(chains, footprint, budget):
        assert budget == 3 * 2**20
        parts = stacks_of(chains, footprint, 2 * footprint.trial + 2 * footprint.order)
        stacks.extend(len(part) for part in parts)
        return parts

    monkeypatch.setattr(chunk, "stacks_of", small)
    settings = dataclasses.replace(work.training, memory=3)
    parts = method.train(dataclasses.replace(work, training=settings))
    assert len(stacks) > 2
    assert max(stacks) == 2
    assert parts.model_steps == whole.model_steps
    for one, other in zip(parts.predictions, whole.predictions, strict=True):
        np.testing.assert_allclose(one.test, other.test, rtol=0, atol=1e-9)
        assert one.record["epochs"] == other.record["epochs"]
