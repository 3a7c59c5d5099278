"""One chunk of work and what came of it, in the form that travels to a worker."""

from __future__ import annotations

import time
import traceback
from collections.abc import Mapping
from dataclasses import dataclass

from fairbench.dataset import Dataset
from fairbench.errors import PluginError
from fairbench.method import Fold, Method, Trained, Training, Work
from fairbench.protocol import Split
from fairbench.study import Chunk

__all__ = ["Job", "Outcome", "Shared", "carry_out"]


@dataclass(frozen=True)
class Shared:
    """What every job of a run needs; sent to each worker once."""

    datasets: Mapping[str, Dataset]
    splits: Mapping[str, tuple[Split, ...]]
    entropy: int
    device: str


@dataclass(frozen=True, slots=True)
class Job:
    """A chunk with the method that trains it, named as the worker's registry knows it."""

    chunk: Chunk
    method: str
    options: Mapping[str, object]
    training: Training


@dataclass(frozen=True, slots=True)
class Outcome:
    """A finished chunk, or (with `trained` None) the reason why it did not finish."""

    job: Job
    trained: Trained | None
    seconds: float
    reason: str = ""
    traceback: str = ""


def carry_out(shared: Shared, job: Job, /) -> Outcome:
    """Train one chunk here. An exception becomes part of the outcome."""
    started = time.perf_counter()
    try:
        trained = _train(shared, job)
    except Exception as error:
        reason = f"{type(error).__name__}: {error}"
        return Outcome(job, None, time.perf_counter() - started, reason, traceback.format_exc())
    return Outcome(job, trained, time.perf_counter() - started)


def _train(shared: Shared, job: Job) -> Trained:
    from fairbench.plugins import load

    chunk = job.chunk
    method = load().find("method", job.method).build(job.options)
    assert isinstance(method, Method)
    fold = Fold(shared.datasets[chunk.dataset], shared.splits[chunk.dataset][chunk.split])
    work = Work(chunk.trials, fold, job.training, shared.entropy, shared.device)
    trained = method.train(work)
    if len(trained.predictions) != len(chunk.trials):
        raise PluginError(
            f"method {job.method!r} returned {len(trained.predictions)} predictions "
            f"for {len(chunk.trials)} trials",
            mend="return one prediction per trial, in their order",
        )
    return trained
