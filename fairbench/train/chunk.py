"""Train the trials of one chunk with the stacked engine and predict their held-out rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch

from fairbench.errors import StudyError
from fairbench.method import Prediction, Trained, Trial, Work
from fairbench.train.batch import Rows
from fairbench.train.by_torch.engine import predicted
from fairbench.train.fit import Fitted, Weights, fit
from fairbench.train.memory import stacks_of
from fairbench.train.rules import LEARNED
from fairbench.train.setup import Setup, prepare

if TYPE_CHECKING:
    from fairbench.dataset import FloatArray
    from fairbench.train.network import NetworkMethod

__all__ = ["train_chunk"]


def train_chunk(method: NetworkMethod, work: Work, /) -> Trained:
    """Train every trial of `work`; neighbours in a chain start from one another's weights."""
    if work.training.patience is not None and not work.fold.split.validation.size:
        raise StudyError(
            "early stopping needs validation rows and this protocol sets none aside",
            where=f"dataset {work.fold.dataset.name!r}",
            hint="leave `patience` out or choose a protocol with a validation part",
        )
    setup = prepare(method, work)
    chains = _chains(work.trials, work.training.chain)
    predictions: dict[Trial, Prediction] = {}
    steps = 0
    for part in stacks_of(chains, setup.footprint, work.training.memory * 2**20):
        steps += _train_stack(setup, part, predictions)
    return Trained([predictions[trial] for trial in work.trials], steps, setup.notes)


def _train_stack(
    setup: Setup, chains: Sequence[Sequence[Trial]], predictions: dict[Trial, Prediction]
) -> int:
    """Train chains side by side into `predictions`; the number of steps that took."""
    start = Weights(*setup.initial([chain[0] for chain in chains]))
    steps = 0
    for stage in range(max(map(len, chains))):
        lanes = [i for i, chain in enumerate(chains) if len(chain) > stage]
        trials = [chains[i][stage] for i in lanes]
        fitted = fit(setup, trials, start)
        steps += int(fitted.steps.sum())
        predictions |= dict(zip(trials, _predictions(setup, fitted), strict=True))
        going_on = [at for at, i in enumerate(lanes) if len(chains[i]) > stage + 1]
        start = _next_start(fitted, going_on)
    return steps


def _chains(trials: Sequence[Trial], length: int) -> list[list[Trial]]:
    """Neighbouring trials of one seed, `length` at a time."""
    chains: list[list[Trial]] = []
    for trial in trials:
        last = chains[-1] if chains else []
        if last and len(last) < length and last[-1].seed == trial.seed:
            last.append(trial)
        else:
            chains.append([trial])
    return chains


def _next_start(fitted: Fitted, lanes: list[int]) -> Weights:
    """The weights that the next stage of these lanes starts from, without the weighting's own."""
    kept = fitted.weights.rows(torch.tensor(lanes, dtype=torch.long))
    own = {n: t for n, t in kept.parameters.items() if not n.startswith(LEARNED)}
    return Weights(own, kept.buffers)


def _predictions(setup: Setup, fitted: Fitted) -> list[Prediction]:
    fold = setup.work.fold
    validation, test = (_predict(setup, fitted, rows) for rows in (setup.validation, setup.test))
    results = []
    for lane in range(len(fitted.finite)):
        if not fitted.finite[lane]:
            note = f"loss or weights were not finite after epoch {fitted.epochs[lane]}"
            results.append(Prediction.missing(fold, "diverged", note))
            continue
        record = {"epochs": fitted.epochs[lane], "losses": fitted.losses[lane].astype(np.float32)}
        results.append(Prediction(fold.unscale(validation[lane]), fold.unscale(test[lane]), record))
    return results


def _predict(setup: Setup, fitted: Fitted, rows: Rows) -> FloatArray:
    """Predictions (S, rows, targets) on the standardised scale."""
    weights = fitted.weights
    names = [task.name for task in setup.tasks if task.column[0] == "target"]
    if not rows.features.shape[0]:
        return np.zeros((len(fitted.finite), 0, len(names)))
    outputs = predicted(setup, weights.parameters, weights.buffers, rows, names)
    return outputs.cpu().double().numpy()
