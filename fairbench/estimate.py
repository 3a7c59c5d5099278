"""How long training will take, measured on a few of the rows before it begins."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from fairbench.dataset import Dataset
from fairbench.execute import Job, Shared, carry_out, one_thread
from fairbench.fold import Split

if TYPE_CHECKING:
    from fairbench.dataset import IntArray

__all__ = ["WORTH_KNOWING", "seconds_of"]

WORTH_KNOWING = 200_000_000
"""Rows to be learned from (over trials and epochs) from which an estimate is worth its seconds."""

FEW, MORE = 2_000, 16_000
"""Training rows of the two trials that are timed."""

TIMED_TRIALS = 16
"""Trials that are timed together, at most: a chunk shares some work among its trials."""


def seconds_of(shared: Shared, jobs: Sequence[Job], /) -> float | None:
    """Seconds of computing that `jobs` will take one after the other, or None where it is little.

    Of each method on each dataset a few trials are trained for one epoch on 2,000 and on 16,000
    training rows, after a first time that loads and compiles what they need. A network's time is
    that of one optimiser step, from the difference of the two, times all its steps; of anything
    else it is extrapolated as a straight line in the rows.
    """
    if sum(_rows_learned(shared, job) for job in jobs) < WORTH_KNOWING:
        return None
    kinds: dict[tuple[str, str], list[Job]] = {}
    for job in jobs:
        kinds.setdefault((job.chunk.dataset, job.chunk.method), []).append(job)
    with one_thread():
        return sum(_seconds(shared, alike) for alike in kinds.values())


def _rows_learned(shared: Shared, job: Job) -> int:
    return _training_rows(shared, job) * len(job.chunk.trials) * job.training.epochs


def _training_rows(shared: Shared, job: Job) -> int:
    return len(shared.splits[job.chunk.dataset][job.chunk.split].train)


def _seconds(shared: Shared, jobs: Sequence[Job]) -> float:
    first = jobs[0]
    trials = sum(len(job.chunk.trials) for job in jobs)
    rows = _training_rows(shared, first)
    _timed(shared, first, min(FEW, rows))
    few, few_steps = _timed(shared, first, min(FEW, rows))
    more, more_steps = _timed(shared, first, min(MORE, rows))
    timed = min(TIMED_TRIALS, len(first.chunk.trials))
    slope = max(0.0, more - few)
    if more_steps > few_steps:
        steps = trials * first.training.epochs * -(-rows // first.training.batch_size)
        return slope / (more_steps - few_steps) * steps
    per_row = slope / timed / max(1, min(MORE, rows) - min(FEW, rows))
    return trials * (more / timed + per_row * max(0, rows - MORE))


def _timed(shared: Shared, job: Job, rows: int) -> tuple[float, int]:
    """Seconds and optimiser steps of one epoch of a few trials on `rows` training rows."""
    chunk = job.chunk
    data, split = shared.datasets[chunk.dataset], shared.splits[chunk.dataset][chunk.split]
    small, parts = _part(data, split, rows)
    trials = chunk.trials[:TIMED_TRIALS]
    tried = replace(
        job,
        chunk=replace(chunk, trials=trials),
        training=replace(job.training, epochs=1, patience=None),
    )
    alone = Shared({chunk.dataset: small}, {}, shared.entropy, shared.device)
    alone = replace(alone, splits={chunk.dataset: (parts,) * (chunk.split + 1)})
    started = time.perf_counter()
    outcome = carry_out(alone, tried)
    taken = time.perf_counter() - started
    return taken, 0 if outcome.trained is None else outcome.trained.model_steps


def _part(data: Dataset, split: Split, rows: int) -> tuple[Dataset, Split]:
    """`rows` training rows with a tenth as many for validation and test, as a dataset."""
    parts = [
        _spread(split[part], rows if part == "train" else max(1, rows // 10))
        for part in ("train", "validation", "test")
    ]
    ends = np.cumsum([len(part) for part in parts])
    index = np.concatenate(parts)
    return data.rows_of(index), Split(*np.split(np.arange(len(index)), ends[:-1]))


def _spread(index: IntArray, count: int) -> IntArray:
    """`count` of `index`, evenly spread over all of it."""
    if len(index) <= count:
        return index
    return index[np.linspace(0, len(index) - 1, count).astype(np.int64)]
