"""The four tables of a run, computed from its stored predictions."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from fairbench.analyze.axes import Axes, as_loss, from_loss, nondominated
from fairbench.analyze.columns import METHOD, POINT, REPEAT
from fairbench.analyze.elsewhere import seen_elsewhere
from fairbench.analyze.evaluate import evaluate, group_errors

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from fairbench.dataset import FloatArray, IntArray, Protected
    from fairbench.fold import Part
    from fairbench.metric import Neighbours
    from fairbench.plugins import Component
    from fairbench.store import Rows, RunFolder, StoredChunk

    _HeldOut = tuple[pd.DataFrame, np.ndarray, FloatArray, FloatArray, Protected, Neighbours | None]

__all__ = [
    "FRONT_COLUMNS",
    "METRIC_COLUMNS",
    "fronts_table",
    "groups_table",
    "measured",
    "metrics_table",
    "trials_table",
]

TRIAL = ("dataset", "method", "value", "seed", "split")
"""Columns that name a trial."""

METRIC_COLUMNS = (*TRIAL, "part", "target", "protected", "status", "reasons")
"""Columns of the metrics table beside the metrics."""

_GROUP_COLUMNS = (
    *(*TRIAL, "part", "target", "protected", "group", "compared"),
    *("n", "mae", "mse", "bias"),
)
_TRIAL_COLUMNS = (*TRIAL, "status", "note", "chunk", "epochs")
_COORDINATES = ["error", "disparity", "selection_error", "selection_disparity"]

FRONT_COLUMNS = (*POINT, *_COORDINATES, "front")
"""Columns of the fronts table."""

_PARTS: tuple[Part, ...] = ("validation", "test")


def trials_table(folder: RunFolder, /) -> pd.DataFrame:
    """One row per trial, those of failed chunks included.

    Columns: dataset, method, value (NaN without trade-off), seed, split, status, note, chunk,
    epochs (NaN where training recorded none).
    """
    frames = [_stored_trials(chunk) for chunk in folder.chunks()]
    frames += [_lost_trials(failure) for failure in folder.failures()]
    return _sorted(frames, _TRIAL_COLUMNS, [*TRIAL, "chunk"])


def _stored_trials(chunk: StoredChunk) -> pd.DataFrame:
    frame = _trial_columns(chunk.meta["trials"])
    epochs = chunk.record("epochs")
    return frame.assign(
        status=chunk.meta["status"],
        note=chunk.meta["note"],
        chunk=chunk.key,
        epochs=np.nan if epochs is None else epochs.astype(np.float64),
    )


def _lost_trials(failure: Mapping[str, Any]) -> pd.DataFrame:
    return _trial_columns(failure["trials"]).assign(
        status="failed", note=failure["reason"], chunk=failure["key"], epochs=np.nan
    )


def _trial_columns(trials: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    frame = pd.DataFrame(trials, columns=list(TRIAL))
    return frame.astype({"value": np.float64, "seed": np.int64, "split": np.int64})


def metrics_table(
    folder: RunFolder,
    metrics: Sequence[Component],
    /,
    ahead: Callable[[StoredChunk], Sequence[pd.DataFrame] | None] = lambda _: None,
) -> pd.DataFrame:
    """One row per trial, part, target and protected attribute; one column per metric.

    `reasons` says as JSON, by metric, why a value is NaN on these rows; the metrics of a trial
    that is not ``ok`` are NaN, for the reason in its `status`.

    `ahead` gives what `measured` gave of a chunk, where that was computed before.
    """
    names = [metric.description.name for metric in metrics]
    frames: list[pd.DataFrame] = []
    rows: dict[str, Rows] = {}
    for chunk in folder.chunks():
        known = ahead(chunk)
        frames += measured(folder, chunk, metrics, rows) if known is None else known
    columns_in_order = (*METRIC_COLUMNS[:-1], *names, "reasons")
    return _sorted(frames, columns_in_order, [*TRIAL, "part", "target", "protected"])


def measured(
    folder: RunFolder, chunk: StoredChunk, metrics: Sequence[Component], rows: dict[str, Rows], /
) -> list[pd.DataFrame]:
    """The part of `metrics_table` that is about one chunk; `rows` fills with what was read."""
    names = [metric.description.name for metric in metrics]
    frames = []
    for columns, status, prediction, target, protected, neighbours in _held_out(
        folder, chunk, rows
    ):
        sound = np.flatnonzero(status == "ok")
        found, reasons = evaluate(prediction[sound], target, protected, metrics, neighbours)
        values = {name: np.full(len(status), np.nan) for name in names}
        text = np.full(len(status), "", dtype=object)
        for name in names:
            values[name][sound] = found[name]
        if reasons:
            missing = {name: np.isnan(found[name]) for name in sorted(reasons)}
            for position, row in enumerate(sound):
                told = {name: reasons[name] for name in missing if missing[name][position]}
                text[row] = json.dumps(told, ensure_ascii=False) if told else ""
        frames.append(columns.assign(status=status, **values, reasons=text))
    return frames


def groups_table(folder: RunFolder, /) -> pd.DataFrame:
    """Errors by group: one row per trial, part, target, protected attribute and group.

    Columns compared (whether the group is part of disparities), n (its rows in that part), mae, mse
    and bias (mean of ŷ − y), in the target's units; NaN for a group without rows and for a trial
    without predictions.
    """
    frames = []
    for columns, _, prediction, target, protected, _ in _predictions(folder):
        errors = group_errors(prediction, target, protected)
        frame = columns.iloc[errors["trial"].astype(np.intp)].reset_index(drop=True)
        frames.append(
            frame.assign(
                group=errors["group"],
                compared=~np.isin(errors["group"], protected.small),
                n=errors["n"],
                mae=errors["mae"],
                mse=errors["mse"],
                bias=errors["residual"],
            )
        )
    return _sorted(frames, _GROUP_COLUMNS, [*TRIAL, "part", "target", "protected", "group"])


def _predictions(folder: RunFolder) -> Iterator[_HeldOut]:
    rows: dict[str, Rows] = {}
    for chunk in folder.chunks():
        yield from _held_out(folder, chunk, rows)


def _held_out(folder: RunFolder, chunk: StoredChunk, rows: dict[str, Rows]) -> Iterator[_HeldOut]:
    """Per part, target and attribute: keys, status, ŷ (S, n), y (n,), A and neighbours."""
    trials = _trial_columns(chunk.meta["trials"])
    first = chunk.trials[0]
    if first.dataset not in rows:
        rows[first.dataset] = folder.rows(first.dataset)
    facts = rows[first.dataset]
    names = folder.manifest["datasets"][first.dataset]["targets"]
    status = np.array(chunk.meta["status"], dtype=object)
    for part in _PARTS:
        index: IntArray = facts.splits[first.split][part]
        if not index.size:
            continue
        prediction = chunk.prediction(part)
        for number, name in enumerate(names):
            for attribute in facts.protected:
                yield (
                    trials.assign(part=part, target=name, protected=attribute.name),
                    status,
                    prediction[:, :, number],
                    facts.targets[index, number],
                    attribute.rows(index),
                    facts.neighbours.get((first.split, part)),
                )


def fronts_table(metrics: pd.DataFrame, selection: str, axes: Axes, /) -> pd.DataFrame:
    """Every trial as a point (error, disparity) on test rows, and whether it was chosen.

    Parameters
    ----------
    metrics
        The metrics table.
    selection
        The part on which points are chosen: ``validation``, or ``test`` under a protocol that
        selects on the rows it reports on.
    axes
        The two metrics.

    Returns
    -------
    DataFrame
        dataset, target, protected, method, split, seed, value, error and disparity (test rows,
        in the metrics' own units), selection_error and selection_disparity, front: whether no
        point of the same method, split and seed dominates it in these two. A point with NaN is
        never on a front. Under ``validation`` the selection values are what the same trade-off
        value reached on validation rows in *other* trainings (`seen_elsewhere`), so that nothing
        is chosen by the luck of its own seed; under ``test`` they are the test values themselves.
    """
    named = metrics[[*POINT, "part"]].assign(
        error=metrics[axes.error].astype(np.float64),
        disparity=metrics[axes.disparity].astype(np.float64),
    )
    test = named[named["part"] == "test"].drop(columns="part")
    chosen_on = named[named["part"] == selection].drop(columns="part")
    chosen_on = chosen_on.rename(
        columns={"error": "selection_error", "disparity": "selection_disparity"}
    )
    points = test.merge(chosen_on, on=POINT, how="left", validate="one_to_one")
    points = _sorted([points], (*POINT, *_COORDINATES), POINT)
    loss = np.column_stack(
        [
            as_loss(points["selection_error"].to_numpy(), axes.error_best),
            as_loss(points["selection_disparity"].to_numpy(), axes.disparity_best),
        ]
    )
    if selection != "test":
        loss = seen_elsewhere(points, loss, METHOD)
        points = points.assign(
            selection_error=from_loss(loss[:, 0], axes.error_best),
            selection_disparity=from_loss(loss[:, 1], axes.disparity_best),
        )
    on_test = np.isfinite(points[["error", "disparity"]].to_numpy()).all(axis=1)
    loss[~on_test] = np.nan
    front = np.zeros(len(points), dtype=bool)
    for index in points.groupby([*METHOD, *REPEAT], sort=False).indices.values():
        front[index] = nondominated(loss[index])
    return points.assign(front=front)


def _sorted(
    frames: Sequence[pd.DataFrame], columns: Sequence[str], keys: Sequence[str]
) -> pd.DataFrame:
    if not frames:
        return pd.DataFrame(columns=list(columns))
    table = pd.concat(frames, ignore_index=True)[list(columns)]
    return table.sort_values(list(keys), kind="stable", na_position="first", ignore_index=True)
