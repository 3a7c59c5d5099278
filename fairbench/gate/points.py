"""From a run to a snapshot: the points that its protocol selects, measured on test rows."""

from __future__ import annotations

from contextlib import contextmanager
from hashlib import sha256
from sys import float_info
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pandas as pd

from fairbench.analyze import MARGIN, POINT, baseline_points, matched_points
from fairbench.errors import FairbenchError, RunFolderError
from fairbench.gate.snapshot import (
    DatasetFacts,
    Point,
    ProtocolFacts,
    Record,
    Snapshot,
    Tolerance,
    value_key,
)
from fairbench.store import RunFolder

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from fairbench.analyze import Run
    from fairbench.fold import Split
    from fairbench.store import Rows

__all__ = ["SHARE", "gated_metrics", "measure", "readable"]

SHARE = 0.02
"""The tolerance unless told otherwise: of an error, or of the target's spread."""

_RUN = ["dataset", "method", "split", "seed"]


def gated_metrics(run: Run, /) -> tuple[str, ...]:
    """The metrics that are gated unless told otherwise: the axes of the study."""
    axes = run.axes()
    return (axes.error, axes.disparity)


def measure(
    run: Run,
    metrics: Sequence[str],
    /,
    *,
    reach: float = MARGIN,
    kept: Mapping[str, DatasetFacts] | None = None,
) -> Snapshot:
    """What `run` reached on test rows at the points chosen on its selection rows.

    Every method has its most accurate point; one with a trade-off has its fairest point within
    `reach` of the baseline method's error as well, see `fairbench.analyze.matched_points`.

    Parameters
    ----------
    metrics
        Names of metrics of this run.
    kept
        Datasets of an older baseline file, whose tolerances are kept.

    Raises
    ------
    RunFolderError
        Where the run is not finished, or a part of it cannot be read.
    StudyError
        Where it has no such metric.
    """
    with readable(run.path):
        _check_finished(run)
        manifest, folder = run.manifest, RunFolder(run.path)
        rows = {label: folder.rows(label) for label in manifest["datasets"]}
        best = {name: run.describe(name).best for name in metrics}
        values = _values(run, metrics, reach)
        records = _records(run, metrics, values, _planned(run, folder))
        return Snapshot(
            title=str(manifest["title"]),
            study=str(manifest["id"]),
            versions={str(k): str(v) for k, v in manifest["versions"].items()},
            protocol=ProtocolFacts(
                name=manifest["protocol"]["name"],
                options=dict(manifest["protocol"]["options"]),
                selection=manifest["protocol"]["selection"],
            ),
            reach=reach,
            metrics=best,
            datasets={
                label: _facts(run, label, rows[label], metrics, (kept or {}).get(label))
                for label in rows
            },
            records=tuple(sorted(records, key=lambda record: record.place)),
        )


@contextmanager
def readable(folder: Path, /) -> Iterator[None]:
    """Turn whatever fails while a run is read into a `RunFolderError`.

    A damaged folder can fail anywhere, and the gate's exit code must not be that of a
    regression.
    """
    try:
        yield
    except FairbenchError:
        raise
    except Exception as error:
        raise RunFolderError(
            f"the run cannot be read: {type(error).__name__}: {error}",
            where=str(folder),
            hint="run the study again: what is whole is kept",
        ) from error


def _check_finished(run: Run) -> None:
    standing = RunFolder(run.path).standing()
    if standing.missing:
        raise RunFolderError(
            f"the run is not finished: {standing}",
            where=str(run.path),
            hint="run the study again to continue it",
        )


def _planned(run: Run, folder: RunFolder) -> pd.DataFrame:
    """dataset, method, split and seed of everything that was to be trained."""
    lost = [trial for failure in folder.failures() for trial in failure["trials"]]
    trials = [run.trials()[_RUN], pd.DataFrame(lost, columns=_RUN)]
    return pd.concat([part for part in trials if len(part)]).drop_duplicates().sort_values(_RUN)


def _values(
    run: Run, metrics: Sequence[str], reach: float
) -> dict[tuple[str, ...], dict[tuple[int, int], Mapping[str, float]]]:
    """Values of `metrics` by dataset, target, attribute, method and point, then split and seed."""
    fronts, axes = run.fronts(), run.axes()
    chosen: list[tuple[Point, pd.DataFrame]] = [
        ("most accurate", baseline_points(fronts, axes, method))
        for method in fronts["method"].unique()
    ]
    if run.baseline:
        points = matched_points(fronts, axes, run.baseline, tolerance=reach)
        chosen.append(("fairest within reach", points))
    test = run.metrics().query("part == 'test'")
    found: dict[tuple[str, ...], dict[tuple[int, int], Mapping[str, float]]] = {}
    for point, frame in chosen:
        measured = frame[POINT].merge(test[[*POINT, *metrics]], on=POINT, how="inner")
        for row in measured.to_dict("records"):
            place = (*(str(row[name]) for name in POINT[:4]), point)
            numbers = {name: float(cast("float", row[name])) for name in metrics}
            found.setdefault(place, {})[int(row["split"]), int(row["seed"])] = numbers
    return found


def _records(
    run: Run,
    metrics: Sequence[str],
    values: Mapping[tuple[str, ...], Mapping[tuple[int, int], Mapping[str, float]]],
    planned: pd.DataFrame,
) -> Iterator[Record]:
    """One record per place, with a value or None for all that was to be trained."""
    for names, runs in planned.groupby(["dataset", "method"], sort=True):
        dataset, method = map(str, names)
        facts = run.manifest["datasets"][dataset]
        keys = [(int(split), int(seed)) for split, seed in runs[["split", "seed"]].to_numpy()]
        for target in facts["targets"]:
            for attribute in facts["protected"]:
                for point in _points(run, dataset, method):
                    place = (dataset, target, attribute["name"], method)
                    reached = values.get((*place, point), {})
                    for metric in metrics:
                        yield Record(
                            dataset=dataset,
                            target=target,
                            protected=attribute["name"],
                            method=method,
                            point=point,
                            metric=metric,
                            values={
                                value_key(*key): _finite(reached.get(key, {}).get(metric))
                                for key in keys
                            },
                        )


def _points(run: Run, dataset: str, method: str) -> tuple[Point, ...]:
    """The points at which a method is measured: two where its trade-off offers a choice."""
    one = len(run.manifest["methods"][dataset][method]["values"]) == 1
    if one or not run.baseline or method == run.baseline:
        return ("most accurate",)
    return ("most accurate", "fairest within reach")


def _finite(value: float | None) -> float | None:
    return value if value is not None and np.isfinite(value) else None


def _facts(
    run: Run, label: str, rows: Rows, metrics: Sequence[str], kept: DatasetFacts | None
) -> DatasetFacts:
    facts = run.manifest["datasets"][label]
    spread = dict(zip(facts["targets"], rows.targets.std(axis=0), strict=True))
    tolerances = {
        target: {
            metric: (kept.tolerances.get(target, {}).get(metric) if kept else None)
            or _tolerance(run, metric, float(spread[target]))
            for metric in metrics
        }
        for target in facts["targets"]
    }
    return DatasetFacts(
        digest=str(facts["digest"]),
        ratio=min(run.ratios[label], float_info.max),  # JSON knows no infinity
        df=run.overlaps[label].df,
        splits=tuple(_digest(split) for split in rows.splits),
        tolerances=tolerances,
    )


def _tolerance(run: Run, metric: str, spread: float) -> Tolerance:
    """2 % of an error in the target's units; else 2 % of the target's spread, or of one.

    An error has a natural scale, its own. A disparity may well be next to zero, where a share
    of itself would be next to nothing: it is held against the target's standard deviation, or
    variance, and against one where it has no unit. So is an error without a unit, such as R².
    """
    description = run.describe(metric)
    if description.role == "error" and description.unit != "none" and description.best == "low":
        return Tolerance(relative=SHARE)
    scales: dict[str, float] = {"target": spread, "target²": spread**2, "none": 1.0}
    return Tolerance(absolute=float(f"{SHARE * scales[description.unit]:.3g}"))


def _digest(split: Split) -> str:
    """Of the row numbers of the three parts."""
    parts: list[Any] = [split.train, split.validation, split.test]
    content = b"|".join(np.asarray(part, dtype="<i8").tobytes() for part in parts)
    return sha256(content).hexdigest()[:16]
