"""The estimate of training time: exact for costs that are what it assumes, and asked for rarely."""

from dataclasses import replace
from types import SimpleNamespace

import pytest

from fairbench import estimate
from fairbench.estimate import seconds_of
from fairbench.execute import Job, Shared
from fairbench.plugins import load
from fairbench.study import Study, plan


def work_of(rows, method, **training):
    study = Study(
        methods=[method],
        datasets=[{"name": "synthetic", "options": {"rows": rows}}],
        baseline=None,
        seeds=2,
        metrics=["rmse"],
        training=training,
    )
    resolved = plan(study, load())
    jobs = []
    for chunk in resolved.chunks():
        arm = resolved.arms[chunk.dataset, chunk.method]
        settings = replace(arm.training, kernel="torch")
        jobs.append(Job(chunk, arm.component.qualified, arm.options, settings))
    return Shared(resolved.datasets, resolved.splits, 0, "cpu"), jobs


@pytest.fixture
def clock(monkeypatch):
    """A clock that training alone moves, and what training costs: seconds, steps of a chunk."""
    now = SimpleNamespace(seconds=0.0, cost=None)

    def carry_out(shared, job):
        (data,) = shared.datasets.values()
        split = shared.splits[job.chunk.dataset][job.chunk.split]
        parts = (split.train, split.validation, split.test)
        assert sorted(row for part in parts for row in part.tolist()) == list(range(data.rows))
        assert job.training.epochs == 1
        seconds, steps = now.cost(len(split.train), len(job.chunk.trials))
        now.seconds += seconds
        return SimpleNamespace(trained=SimpleNamespace(model_steps=steps))

    monkeypatch.setattr(estimate, "carry_out", carry_out)
    monkeypatch.setattr(estimate, "time", SimpleNamespace(perf_counter=lambda: now.seconds))
    monkeypatch.setattr(estimate, "WORTH_KNOWING", 0)
    return now


def test_a_network_takes_its_steps_and_starting_up_is_not_multiplied(clock):
    batch, epochs, values = 32, 7, 5
    clock.cost = lambda rows, trials: (
        3.0 + 1e-5 * trials * -(-rows // batch),
        trials * -(-rows // batch),
    )
    method = {"name": "static-alpha", "tradeoff": [1.0, 2.0, 3.0, 4.0, 4.5]}
    shared, jobs = work_of(50_000, method, epochs=epochs, batch_size=batch)
    steps = 2 * values * epochs * -(-30_000 // batch)
    assert seconds_of(shared, jobs) == pytest.approx(1e-5 * steps)


def test_anything_else_is_a_straight_line_in_the_rows(clock):
    clock.cost = lambda rows, trials: (trials * (0.5 + 2e-4 * rows), 0)
    shared, jobs = work_of(50_000, "gradient-boosting")
    assert seconds_of(shared, jobs) == pytest.approx(2 * (0.5 + 2e-4 * 30_000))


def test_a_method_that_gets_no_slower_with_rows(clock):
    clock.cost = lambda rows, trials: (trials * (0.5 if rows < 2_000 else 0.4), 0)
    shared, jobs = work_of(50_000, "mean")
    assert seconds_of(shared, jobs) == pytest.approx(2 * 0.4)


def test_tables_smaller_than_what_is_timed(clock):
    clock.cost = lambda rows, trials: (trials * 1e-3 * rows, 0)
    shared, jobs = work_of(500, "mean")
    assert seconds_of(shared, jobs) == pytest.approx(2 * 0.3)


def test_a_small_study_is_not_estimated(monkeypatch):
    monkeypatch.setattr(estimate, "carry_out", lambda *_: pytest.fail("trained"))
    shared, jobs = work_of(2_000, "static-alpha")
    assert seconds_of(shared, jobs) is None
    assert seconds_of(shared, []) is None


def test_the_real_thing_gives_a_positive_number(monkeypatch):
    monkeypatch.setattr(estimate, "WORTH_KNOWING", 0)
    monkeypatch.setattr(estimate, "FEW", 64)
    monkeypatch.setattr(estimate, "MORE", 1_000)
    method = {"name": "static-alpha", "tradeoff": [1.0, 2.0]}
    shared, jobs = work_of(2_000, method, batch_size=2)
    assert seconds_of(shared, jobs) > 0
