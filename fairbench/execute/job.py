"""One chunk of work and what came of it, in the form that travels to a worker."""

from __future__ import annotations

import pickle
import time
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fairbench.aside import aside
from fairbench.dataset import Dataset
from fairbench.errors import PluginError, told
from fairbench.execute.check import checked
from fairbench.fold import Fold, Split
from fairbench.method import Method, Trained, Work
from fairbench.study import Chunk
from fairbench.training import Training

if TYPE_CHECKING:
    from fairbench.plugins import Part

__all__ = ["Job", "Outcome", "Shared", "carry_out", "packed", "unpacked", "vouch"]


@dataclass(frozen=True)
class Shared:
    """The data that every job of a run needs; sent to each worker once."""

    datasets: Mapping[str, Dataset]
    splits: Mapping[str, tuple[Split, ...]]
    entropy: int
    device: str


@dataclass(frozen=True, slots=True)
class Job:
    """A chunk with the method that trains it, named as the worker's registry knows it.

    `code` is the digest of all code that trains it, where the driver is; empty for whatever.
    """

    chunk: Chunk
    method: str
    options: Mapping[str, object]
    training: Training
    code: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """A finished chunk, or (with `trained` None) the reason why it did not finish."""

    job: Job
    trained: Trained | None
    seconds: float
    reason: str = ""
    traceback: str = ""

    @classmethod
    def failed(cls, job: Job, error: BaseException, seconds: float, /) -> Outcome:
        """The outcome of a job that ended in `error`."""
        detail = "".join(traceback.format_exception(error))
        return cls(job, None, seconds, told(error), detail)


def carry_out(shared: Shared, job: Job, /) -> Outcome:
    """Train one chunk here. Whatever a plugin raises becomes part of the outcome."""
    started = time.perf_counter()
    try:
        # What a plugin prints must not garble a document on standard output.
        with aside():
            trained = _train(shared, job)
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        return Outcome.failed(job, error, time.perf_counter() - started)
    return Outcome(job, trained, time.perf_counter() - started)


def _train(shared: Shared, job: Job) -> Trained:
    from fairbench.plugins import load, made_declared, parts_of

    chunk = job.chunk
    registry = load()
    component = registry.find("method", job.method)
    method = component.build(job.options)
    if not isinstance(method, Method):
        raise PluginError(f"{job.method!r} is no Method")
    fold = Fold(shared.datasets[chunk.dataset], shared.splits[chunk.dataset][chunk.split])
    work = Work(chunk.trials, fold, job.training, shared.entropy, shared.device)
    parts = parts_of(registry, component, job.options, method)
    if job.code and job.code not in _vouched:
        _check_code(job, parts)
    with made_declared(parts):
        trained = method.train(work)
    return checked(trained, work, f"method {job.method!r}")


_vouched: set[str] = set()
"""Digests of code that this process has loaded: what becomes of the files is no matter here."""


def vouch(code: str, /) -> None:
    """Say that this process has loaded the code of this digest."""
    _vouched.add(code)


def _check_code(job: Job, parts: tuple[Part, ...]) -> None:
    """Refuse to train with other code than that which the run's identity tells of."""
    from fairbench.plugins import digest_of_parts

    if digest_of_parts(parts) != job.code:
        raise PluginError(
            f"this worker has other code of fairbench or of {parts[0]} than the driver",
            where="it was edited during the run, or the worker's machine has another version",
            hint="install the same code there, then run the command again: an edit is another run",
        )
    vouch(job.code)


def packed(outcome: Outcome, /) -> bytes:
    """`outcome` for the way home; one that cannot travel becomes the outcome that says so."""
    try:
        return pickle.dumps(outcome, pickle.HIGHEST_PROTOCOL)
    except Exception as error:
        return pickle.dumps(Outcome.failed(outcome.job, error, outcome.seconds))


def unpacked(parcel: bytes, job: Job, /) -> Outcome:
    """The outcome of `job` that a worker of this run packed."""
    try:
        outcome: Outcome = pickle.loads(parcel)  # noqa: S301  # from a process we started
    except Exception as error:
        return Outcome.failed(job, error, 0.0)
    return outcome
