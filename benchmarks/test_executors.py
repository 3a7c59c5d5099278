"""What executors and bookkeeping cost, as ratios within one run.

Two local processes against one, and a Dask cluster of this machine against local processes, on
chunks that train for a fraction of a second and for a few seconds. The ratios are reported, in
``extra_info``; a machine that does something else at the same time spoils them, so that they are
asserted loosely.
"""

from __future__ import annotations

import resource
import time

import numpy as np
import pytest

from fairbench.execute import Limits, Shared
from fairbench.execute.job import Job
from fairbench.method import Prediction, Trained
from fairbench.plugins import load
from fairbench.runner import _jobs
from fairbench.session import Session
from fairbench.store import RunFolder
from fairbench.study import Study, plan

CHUNKS = 12
BIG = 100_000


def study(**more) -> Study:
    settings = {"datasets": ["synthetic"], "baseline": None, "seeds": CHUNKS}
    grid = {"name": "static-alpha", "tradeoff": "0.1:5.0:0.1"}
    return Study(**{**settings, "methods": [grid], "training": {"epochs": 12}, **more})


def work(epochs: int) -> tuple[Shared, list[Job]]:
    resolved = plan(study(training={"epochs": epochs}), load())
    shared = Shared(resolved.datasets, resolved.splits, 0, "cpu")
    return shared, _jobs(resolved, {"auto": "compiled"}, resolved.chunks())


def seconds(executor: str, jobs: int, work: tuple[Shared, list[Job]]) -> float:
    """From the first outcome to the last: without the start of the workers."""
    built = load().find("executor", executor).build({})
    at = []
    for outcome in built.run(*work, Limits(jobs)):
        assert outcome.trained is not None, outcome.reason
        at.append(time.perf_counter())
    return (at[-1] - at[jobs - 1]) / (len(at) - jobs)


@pytest.mark.parametrize("epochs", [24, 240])
def test_executors(benchmark, epochs):
    chunks = work(epochs)

    def measure() -> dict[str, float]:
        found = {
            f"{executor}-{jobs}": seconds(executor, jobs, chunks)
            for executor, jobs in (("serial", 1), ("local", 1), ("local", 2), ("dask", 2))
        }
        return {f"seconds_per_chunk_{name}": value for name, value in found.items()}

    found = benchmark.pedantic(measure, rounds=1)
    one, two, dask = (found[f"seconds_per_chunk_{n}"] for n in ("local-1", "local-2", "dask-2"))
    benchmark.extra_info |= {
        **found,
        "times_faster_two_than_one": one / two,
        "times_dask_against_local": dask / two,
    }
    assert one / two > 0.5  # two do not wait for one another; how much they win is reported


def test_planning_and_bookkeeping(benchmark, tmp_path):
    """100,000 trials: milliseconds a trial for planning, storing and finding them again."""
    values = [k / 1000 for k in range(1000)]
    big = study(methods=[{"name": "static-alpha", "tradeoff": values}], seeds=BIG // len(values))
    took: dict[str, float] = {}

    def measure() -> None:
        clock = time.perf_counter()

        def lap(name: str) -> None:
            nonlocal clock
            took[f"ms_per_trial_{name}"] = 1000 * (time.perf_counter() - clock) / BIG
            clock = time.perf_counter()

        resolved = plan(big, load())
        chunks = list(resolved.chunks())
        assert sum(len(chunk.trials) for chunk in chunks) == BIG
        lap("plan")
        folder = RunFolder(tmp_path / "run")
        description = {"datasets": {"synthetic": {"file": "0-synthetic"}}}
        session = Session(folder, description, chunks, {}, None)
        session.prepare(resolved)
        memory = []
        for number, chunk in enumerate(chunks):
            keep(session, resolved, chunk)
            if number % 500 == 499:
                memory.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
        session.write()
        lap("store")
        assert len(folder.finished()) == len(chunks)
        lap("find_again")
        took["mb_grown_while_streaming"] = memory[-1] - memory[0]

    benchmark.pedantic(measure, rounds=1)
    benchmark.extra_info |= took
    assert sum(v for k, v in took.items() if k.startswith("ms_")) < 1.0
    assert took["mb_grown_while_streaming"] < 50


def keep(session: Session, resolved, chunk) -> None:
    from fairbench.execute import Outcome

    split = resolved.splits[chunk.dataset][chunk.split]
    draw = np.random.default_rng(0)
    made = [
        Prediction(
            draw.normal(size=(split.validation.size, 1)), draw.normal(size=(split.test.size, 1))
        )
        for _ in chunk.trials
    ]
    (job,) = _jobs(resolved, {"auto": "torch"}, [chunk])
    session.keep(Outcome(job, Trained(made, 100), 1.0))
