"""JSON: one document for programs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fairbench.report import Contents, Documents, Reporter, View, gather, unusable

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
    fronts, judged = contents.fronts, contents.judgement
    diverged = contents.diverged.drop(columns=["chunk", "epochs"])
    return {
        "title": contents.title,
        "axes": {"error": contents.axes.error, "disparity": contents.axes.disparity},
        "tolerance": contents.tolerance,
        "runs": [_run(run) for run in contents.runs],
        "baselines": {sheet.label: sheet.baseline for sheet in contents.sheets},
        "verdicts": _records(judged.verdicts),
        "unusable": [
            {"dataset": sheet.label, "target": target, "protected": protected, "sentence": told}
            for sheet in contents.sheets
            for target, protected in sheet.views
            for told in unusable(contents, sheet, target, protected)
        ],
        "disagreements": _records(judged.disagreements),
        "ranking": _ranking(contents),
        "noise": _records(judged.noise),
        "audits": _records(judged.audits),
        "quality": _records(judged.quality),
        "boxes": _records(judged.boxes),
        "summary": _records(contents.summary),
        "fronts": _records(fronts[fronts["front"]].drop(columns="front")),
        "averaged_fronts": _records(contents.averages),
        "failures": _records(contents.failures),
        "diverged": _records(diverged),
        "remarks": list(contents.remarks),
    }


def _ranking(contents: Contents) -> dict[str, Any] | None:
    found = contents.ranks.ranking
    if found is None:
        return None
    pairs = zip(found.methods, found.ranks, strict=True)
    return {
        "metric": contents.axes.disparity,
        "datasets": list(contents.ranks.losses.index),
        "methods": [{"method": method, "mean_rank": rank} for method, rank in pairs],
        "p": found.p,
        "critical_difference": found.critical_difference,
    }


def _run(run: Run) -> dict[str, Any]:
    names = ("title", "id", "command", "protocol", "versions", "machine", "progress")
    told = {name: run.manifest[name] for name in names}
    return {"folder": str(run.path), **told, "sittings": run.manifest.get("sittings", [])}


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    # to_json rather than to_dict: NaN becomes null and NumPy's types plain ones.
    records: list[dict[str, Any]] = json.loads(table.to_json(orient="records", double_precision=15))
    return records
