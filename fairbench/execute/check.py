"""Check what a method returned: bring it into the form that is stored, or refuse it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, get_args

import numpy as np

from fairbench.errors import PluginError
from fairbench.fold import Part
from fairbench.method import Prediction, Status, Trained, Work

__all__ = ["checked"]

_MEND = "report it to the plugin's authors"


def checked(trained: object, work: Work, /, of: str) -> Trained:
    """`trained` as plain arrays of the right shapes, so that storing it cannot fail.

    A prediction that calls itself ``ok`` and holds a number that is not finite counts as
    diverged.

    Raises
    ------
    PluginError
        Where it is anything else than one prediction per trial of `work`.
    """
    if not isinstance(trained, Trained):
        raise PluginError(f"{of} returned {_kind(trained)}, not a Trained", hint=_MEND)
    if len(trained.predictions) != len(work.trials):
        raise PluginError(
            f"{of} returned {len(trained.predictions)} predictions for {len(work.trials)} trials",
            hint="return one prediction per trial, in their order",
        )
    predictions = [_prediction(p, work, of) for p in trained.predictions]
    _check_records(predictions, of)
    notes = tuple(str(note) for note in trained.notes)
    return Trained(predictions, int(trained.model_steps), notes)


def _prediction(given: object, work: Work, of: str) -> Prediction:
    if not isinstance(given, Prediction):
        raise PluginError(f"{of} returned {_kind(given)}, not a Prediction", hint=_MEND)
    if given.status not in get_args(Status):
        raise PluginError(f"{of} returned the status {given.status!r}", hint=_MEND)
    validation = _rows(given.validation, work, "validation", of)
    test = _rows(given.test, work, "test", of)
    record = {str(name): _numbers(value, of) for name, value in given.record.items()}
    passes = given.status == "failed" and bool(given.transient)
    sound = Prediction(validation, test, record, given.status, str(given.note), passes)
    if sound.status == "ok" and not (np.isfinite(validation).all() and np.isfinite(test).all()):
        return replace(sound, status="diverged", note="a prediction is not finite")
    return sound


def _rows(given: object, work: Work, part: Part, of: str) -> np.ndarray[Any, np.dtype[np.float64]]:
    wanted = (work.fold.split[part].size, work.fold.dataset.targets.shape[1])
    array = _numbers(given, of)
    if array.shape != wanted:
        raise PluginError(
            f"{of} predicted an array of shape {array.shape} for the {part} rows",
            hint=f"predict one row per example and one column per target: {wanted}",
        )
    return array.astype(np.float64)


def _numbers(given: object, of: str) -> np.ndarray:
    array = np.asarray(given)
    if array.dtype.kind not in "biuf":
        raise PluginError(f"{of} returned {_kind(given)} of {array.dtype}, not numbers", hint=_MEND)
    return array


def _check_records(predictions: list[Prediction], of: str) -> None:
    shapes: Mapping[str, tuple[int, ...]] = {}
    for prediction in predictions:
        found = {name: np.shape(value) for name, value in prediction.record.items()}
        for name in found.keys() & shapes.keys():
            if found[name] != shapes[name]:
                raise PluginError(
                    f"{of} recorded {name!r} in shapes {shapes[name]} and {found[name]}",
                    hint="record arrays of one shape for all trials of a chunk",
                )
        shapes = {**shapes, **found}


def _kind(value: object) -> str:
    return f"a {type(value).__name__}"
