"""Predictions that post-processing is fitted on, and never on rows that select."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from fairbench.deal import deal, units_of
from fairbench.errors import DataError
from fairbench.fold import Split
from fairbench.method import Method, Prediction, Trial, Work
from fairbench.seeds import derive

if TYPE_CHECKING:
    from fairbench.dataset import FloatArray, IntArray

__all__ = ["Calibrated", "Source", "calibrate"]

Source = Literal["cross", "holdout", "train"]
FOLDS = 5


@dataclass(frozen=True)
class Calibrated:
    """Predictions of the base of one seed.

    Attributes
    ----------
    rows : (m,)
        Row numbers of the calibration rows, sorted.
    calibration : (m, t)
        Predictions on these, by a model that was not trained on them unless the source is
        ``train``.
    held_out
        What the base predicts of validation and test rows.
    """

    rows: IntArray
    calibration: FloatArray
    held_out: Prediction


def calibrate(
    base: Method, trials: Sequence[Trial], work: Work, source: Source, /
) -> tuple[list[Calibrated], int, list[str]]:
    """Train `trials` of `base` and predict calibration rows; with its steps and its notes.

    ``train`` takes the training rows themselves. ``holdout`` keeps a fifth of them from
    training. ``cross`` leaves every fifth out in turn, and predicts validation and test rows with
    a base trained on all. Fifths have their share of every group, and whole clusters.
    """
    fold = work.fold
    if source == "train":
        return _trained(base, trials, work, fold.split.train, fold.split.train)
    fifths = _fifths(work, trials[0])
    if source == "holdout":
        return _trained(base, trials, work, np.setdiff1d(fold.split.train, fifths[0]), fifths[0])
    steps, notes, parts = 0, list[str](), []
    for fifth in fifths:
        split = replace(fold.split, train=np.setdiff1d(fold.split.train, fifth), test=fifth)
        trained = base.train(replace(work, trials=trials, fold=replace(fold, split=split)))
        parts.append(trained.predictions)
        steps, notes = steps + trained.model_steps, [*notes, *trained.notes]
    whole = base.train(replace(work, trials=trials))
    rows = np.concatenate(fifths)
    order = np.argsort(rows)
    found = []
    for place, held_out in enumerate(whole.predictions):
        several = [part[place] for part in parts]
        broken = next((one for one in several if one.status != "ok"), None)
        left_out = np.concatenate([one.test for one in several])[order]
        if broken is not None:
            held_out = Prediction.missing(fold, broken.status, broken.note)
        found.append(Calibrated(rows[order], left_out, held_out))
    return found, steps + whole.model_steps, [*dict.fromkeys([*notes, *whole.notes])]


def _trained(
    base: Method, trials: Sequence[Trial], work: Work, train: IntArray, calibration: IntArray
) -> tuple[list[Calibrated], int, list[str]]:
    """One training on `train`; calibration rows are predicted together with test rows."""
    split = work.fold.split
    together = np.union1d(calibration, split.test)
    fold = replace(work.fold, split=Split(train, split.validation, together))
    trained = base.train(replace(work, trials=trials, fold=fold))
    on = np.searchsorted(together, calibration), np.searchsorted(together, split.test)
    found = [
        Calibrated(calibration, one.test[on[0]], replace(one, test=one.test[on[1]]))
        for one in trained.predictions
    ]
    return found, trained.model_steps, list(trained.notes)


def _fifths(work: Work, trial: Trial) -> list[IntArray]:
    """Training rows in five parts, the same for every method, value and seed of a split."""
    train = work.fold.split.train
    units = units_of(work.fold.dataset.rows_of(train))
    seed = derive(work.entropy, "calibration", trial.dataset, trial.split)
    dealt = deal(units, FOLDS, np.random.RandomState(seed % 2**32))
    if dealt is None:
        raise DataError(
            f"the training rows cannot be cut into {FOLDS} parts with rows of every group",
            where="calibration of a post-processor",
            hint="take calibration = train with a base that does not overfit, or --merge-groups",
        )
    return [np.sort(train[dealt[units.of_row] == number]) for number in range(FOLDS)]
