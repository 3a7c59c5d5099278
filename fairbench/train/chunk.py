"""Train the trials of one chunk with the stacked engine and predict their held-out rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch

from fairbench.errors import StudyError
from fairbench.method import Prediction, Trained, Trial, Work
from fairbench.train.batch import Rows
from fairbench.train.engine import Engine
from fairbench.train.engines import engine_for
from fairbench.train.fit import Fitted, fit
from fairbench.train.memory import stacks_of
from fairbench.train.prepared import Prepared
from fairbench.train.reading import WEIGHTING_PREFIX
from fairbench.train.recipe import Recipe
from fairbench.train.setup import initial_weights, prepare
from fairbench.train.weights import Weights

if TYPE_CHECKING:
    from fairbench.dataset import FloatArray

__all__ = ["train_chunk"]


def train_chunk(recipe: Recipe, work: Work, /) -> Trained:
    """Train every trial of `work`; neighbours in a chain start from one another's weights."""
    if work.training.patience is not None and not work.fold.split.validation.size:
        raise StudyError(
            "early stopping needs validation rows and this protocol sets none aside",
            where=f"dataset {work.fold.dataset.name!r}",
            hint="leave `patience` out or choose a protocol with a validation part",
        )
    prepared = prepare(recipe, work)
    engine = engine_for(prepared)
    chains = _chains(work.trials, work.training.chain)
    predictions: dict[Trial, Prediction] = {}
    steps = 0
    for part in stacks_of(chains, prepared.footprint, work.training.memory * 2**20):
        steps += _train_stack(prepared, engine, part, predictions)
    return Trained([predictions[trial] for trial in work.trials], steps, prepared.notes)


def _train_stack(
    prepared: Prepared,
    engine: Engine,
    chains: Sequence[Sequence[Trial]],
    predictions: dict[Trial, Prediction],
) -> int:
    """Train chains side by side into `predictions`, and return the number of steps taken."""
    start = initial_weights(prepared, [chain[0] for chain in chains])
    steps = 0
    for stage in range(max(map(len, chains))):
        lanes = [i for i, chain in enumerate(chains) if len(chain) > stage]
        trials = [chains[i][stage] for i in lanes]
        fitted = fit(prepared, engine, trials, start)
        steps += int(fitted.steps.sum())
        predictions |= dict(zip(trials, _predictions(prepared, engine, fitted), strict=True))
        going_on = [at for at, i in enumerate(lanes) if len(chains[i]) > stage + 1]
        start = _next_start(fitted, going_on)
    return steps


def _chains(trials: Sequence[Trial], length: int) -> list[list[Trial]]:
    """Group neighbouring trials of one seed, `length` at a time."""
    chains: list[list[Trial]] = []
    for trial in trials:
        last = chains[-1] if chains else []
        if last and len(last) < length and last[-1].seed == trial.seed:
            last.append(trial)
        else:
            chains.append([trial])
    return chains


def _next_start(fitted: Fitted, lanes: list[int]) -> Weights:
    """Return the weights that these lanes go on from, without the weighting's own parameters."""
    kept = fitted.weights.take(torch.tensor(lanes, dtype=torch.long))
    own = {n: t for n, t in kept.parameters.items() if not n.startswith(WEIGHTING_PREFIX)}
    return Weights(own, kept.buffers)


def _predictions(prepared: Prepared, engine: Engine, fitted: Fitted) -> list[Prediction]:
    fold = prepared.work.fold
    validation, test = (
        _predict(prepared, engine, fitted, rows) for rows in (prepared.validation, prepared.test)
    )
    results = []
    for lane in range(len(fitted.finite)):
        if not fitted.finite[lane]:
            note = f"loss or weights were not finite after epoch {fitted.epochs[lane]}"
            results.append(Prediction.missing(fold, "diverged", note))
            continue
        record = {"epochs": fitted.epochs[lane], "losses": fitted.losses[lane].astype(np.float32)}
        results.append(Prediction(fold.unscale(validation[lane]), fold.unscale(test[lane]), record))
    return results


def _predict(prepared: Prepared, engine: Engine, fitted: Fitted, rows: Rows) -> FloatArray:
    """Return predictions (S, rows, targets) on the standardised scale."""
    names = [task.name for task in prepared.tasks if task.column[0] == "target"]
    if not rows.features.shape[0]:
        return np.zeros((len(fitted.finite), 0, len(names)))
    return engine.predict(fitted.weights, rows, names).cpu().double().numpy()
