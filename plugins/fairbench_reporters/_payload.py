"""The numbers that the page's figures are drawn from, small enough to embed."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from fairbench.dataset import FloatArray, IntArray
    from fairbench.report import Contents, Sheet

__all__ = ["payload"]

_TRIAL = ["method", "value", "seed", "split"]
_PARTS = ("validation", "test")


def payload(contents: Contents, /) -> dict[str, Any]:
    """Everything the figures need, with lists in place of tables.

    Per dataset: `trial` holds one entry per usable trial (method is an index into `methods`);
    ``errors[part][target][metric]``, ``disparities[protected][part][target][metric]`` and
    ``groups[protected][target]["mae" or "rmse"][group]`` hold one number per trial, on the
    same order, null where there is none; group errors are those on test rows.
    """
    axes = contents.axes
    metrics = contents.metrics.items()
    return {
        "title": contents.title,
        "error": axes.error,
        "disparity": axes.disparity,
        "tolerance": contents.tolerance,
        "metrics": {
            name: {"role": d.role, "best": d.best, "summary": d.summary} for name, d in metrics
        },
        "datasets": [_dataset(contents, sheet) for sheet in contents.sheets],
    }


def _dataset(contents: Contents, sheet: Sheet) -> dict[str, Any]:
    methods = list(sheet.methods)
    measured = contents.measured
    own = measured[(measured["dataset"] == sheet.label) & (measured["status"] == "ok")]
    trials = own[_TRIAL].drop_duplicates(ignore_index=True)
    groups = contents.groups
    groups = groups[(groups["dataset"] == sheet.label) & (groups["part"] == "test")]
    needed = ("test", sheet.protocol["selection"])
    parts = [part for part in _PARTS if part in needed or (own["part"] == part).any()]
    placed = _Placed(own, trials)
    errors = [name for name, d in contents.metrics.items() if d.role == "error"]
    disparities = [name for name, d in contents.metrics.items() if d.role == "disparity"]
    targets = list(sheet.facts["targets"])
    attributes = list(sheet.facts["protected"])
    first = attributes[0]["name"]
    return {
        "label": sheet.label,
        "targets": targets,
        "protected": [{"name": a["name"], "labels": a["labels"]} for a in attributes],
        "selection": sheet.protocol["selection"],
        "parts": parts,
        "baseline": None if sheet.baseline is None else methods.index(sheet.baseline),
        "methods": [
            {"label": label, "tradeoff": facts["tradeoff"] and facts["tradeoff"]["name"]}
            for label, facts in sheet.methods.items()
        ],
        "trial": {
            "method": [methods.index(m) for m in trials["method"]],
            "value": _rounded(trials["value"]),
            "seed": trials["seed"].tolist(),
            "split": trials["split"].tolist(),
        },
        "errors": {
            part: [placed.metrics(part, target, first, errors) for target in targets]
            for part in parts
        },
        "disparities": [
            {
                part: [placed.metrics(part, t, a["name"], disparities) for t in targets]
                for part in parts
            }
            for a in attributes
        ],
        "groups": [
            [_groups(groups, trials, target, a["name"], a["labels"]) for target in targets]
            for a in attributes
        ],
    }


class _Placed:
    """Rows of the metrics table, each with the number of its trial."""

    def __init__(self, own: pd.DataFrame, trials: pd.DataFrame) -> None:
        self._own = own
        self._numbers = _numbers(own, trials)
        self._size = len(trials)

    def metrics(
        self, part: str, target: str, protected: str, names: Iterable[str]
    ) -> dict[str, list[float | None]]:
        """One number per trial and metric."""
        here = (
            (self._own["part"] == part)
            & (self._own["target"] == target)
            & (self._own["protected"] == protected)
        ).to_numpy()
        rows, numbers = self._own[here], self._numbers[here]
        # A metric of another run only has no column of numbers for these rows.
        return {name: _spread(rows[name], numbers, self._size) for name in names}


def _numbers(rows: pd.DataFrame, trials: pd.DataFrame) -> IntArray:
    """The position in `trials` of each row's trial; -1 where it is none of them."""
    numbered = trials.assign(number=np.arange(len(trials)))
    merged = rows[_TRIAL].merge(numbered, on=_TRIAL, how="left", validate="many_to_one")
    return merged["number"].fillna(-1).to_numpy(dtype=np.int64)


def _groups(
    groups: pd.DataFrame, trials: pd.DataFrame, target: str, protected: str, labels: list[str]
) -> dict[str, list[list[float | None]]]:
    own = groups[(groups["target"] == target) & (groups["protected"] == protected)]
    numbers = _numbers(own, trials)
    own, numbers = own[numbers >= 0], numbers[numbers >= 0]
    found: dict[str, list[list[float | None]]] = {"mae": [], "rmse": []}
    for label in labels:
        inside = (own["group"] == label).to_numpy()
        rows = own[inside]
        found["mae"].append(_spread(rows["mae"], numbers[inside], len(trials)))
        found["rmse"].append(_spread(np.sqrt(rows["mse"]), numbers[inside], len(trials)))
    return found


def _spread(values: pd.Series[float], numbers: IntArray, size: int) -> list[float | None]:
    column = np.full(size, np.nan)
    column[numbers] = values.to_numpy(dtype=np.float64)
    return _rounded(column)


def _rounded(values: FloatArray | pd.Series[float]) -> list[float | None]:
    """Five significant digits: finer than any figure shows, and half the bytes."""
    numbers = np.asarray(values, dtype=np.float64).tolist()
    return [float(f"{v:.5g}") if np.isfinite(v) else None for v in numbers]
