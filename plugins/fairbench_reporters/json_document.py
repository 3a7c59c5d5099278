"""JSON: one document for programs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from fairbench.analyze import in_words
from fairbench.report import SECTIONS, Contents, Documents, Reporter, View, gather

if TYPE_CHECKING:
    import pandas as pd

    from fairbench.analyze import Run

__all__ = ["Json", "document"]


@dataclass(frozen=True)
class Json(Reporter):
    """Verdicts, each method's summary, every front point, and what went wrong."""

    def render(self, runs: Sequence[Run], view: View, /) -> Documents:
        text = json.dumps(document(gather(runs, view)), indent=2, ensure_ascii=False)
        return {"report.json": text + "\n"}


def document(contents: Contents, /) -> dict[str, Any]:
    """The report in the types of JSON; what is not known is null."""
    tables = {
        data.name.replace("-", "_"): data.table if data.brief is None else data.brief
        for section in SECTIONS
        for data in section.data(contents)
        if not data.bulky
    }
    return {
        "title": contents.title,
        "axes": {"error": contents.axes.error, "disparity": contents.axes.disparity},
        "tolerance": contents.tolerance,
        "runs": [_run(run) for run in contents.runs],
        "baselines": {sheet.label: sheet.baseline for sheet in contents.sheets},
        "primary": _primary(contents),
        "rules": [
            {"of": what, "verdict": verdict, "when": when} for what, verdict, when in in_words()
        ],
        "across_datasets": _across(contents),
        **{name: _records(table) for name, table in tables.items()},
        "unfinished": list(contents.unfinished),
        "remarks": list(contents.remarks),
    }


def _primary(contents: Contents) -> dict[str, Any]:
    stated = asdict(contents.judgement.primary)
    views = stated.pop("views").items()
    return stated | {
        "views": [
            {"dataset": dataset, "target": target, "protected": protected}
            for dataset, (target, protected) in views
        ]
    }


def _across(contents: Contents) -> dict[str, Any] | None:
    found = contents.across
    if not found.methods:
        return None
    return {
        "metric": contents.axes.disparity,
        "unit": found.unit,
        "margin": found.margin,
        "datasets": list(found.changes.index),
        "methods": [asdict(one) for one in found.methods],
    }


def _run(run: Run) -> dict[str, Any]:
    names = ("title", "id", "command", "protocol", "versions", "machine", "progress")
    told = {name: run.manifest[name] for name in names}
    return {"folder": str(run.path), **told, "sittings": run.manifest.get("sittings", [])}


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    # to_json rather than to_dict: NaN becomes null and NumPy's types plain ones.
    records: list[dict[str, Any]] = json.loads(table.to_json(orient="records", double_precision=15))
    return records
