"""Labels under which several runs stand side by side."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from fairbench.report.sheet import Sheet

if TYPE_CHECKING:
    from fairbench.analyze import Run

__all__ = ["Names"]


class Names:
    """Labels under which the datasets and methods of several runs stand side by side."""

    def __init__(self, runs: Sequence[Run]) -> None:
        titles = [str(run.manifest["title"]) for run in runs]
        self._tags = {
            id(run): title if titles.count(title) == 1 else f"{title} {run.manifest['id'][:8]}"
            for run, title in zip(runs, titles, strict=True)
        }
        self._identity: dict[str, str] = {}
        self._renamed: list[tuple[dict[str, str], dict[tuple[str, str], str]]] = []

    def add(self, run: Run, sheets: dict[str, Sheet]) -> None:
        """Add the datasets and methods of `run` to `sheets`."""
        datasets: dict[str, str] = {}
        methods: dict[tuple[str, str], str] = {}
        for label, facts in run.manifest["datasets"].items():
            datasets[label] = name = self._sheet_name(run, label)
            own = run.manifest["methods"][label]
            held = dict(sheets[name].methods) if name in sheets else {}
            for method, about in own.items():
                title = method if method not in held else f"{method} ({self._tags[id(run)]})"
                methods[label, method] = title
                held[title] = about
            baseline = run.manifest["baseline"]
            if name in sheets and sheets[name].baseline is not None:
                baseline = sheets[name].baseline
            elif (label, baseline) in methods:
                baseline = methods[label, baseline]
            else:
                baseline = None
            ordered = {m: held[m] for m in sorted(held, key=lambda m: m != baseline)}
            sheets[name] = Sheet(name, facts, run.manifest["protocol"], ordered, baseline)
        self._renamed.append((datasets, methods))

    def _sheet_name(self, run: Run, label: str) -> str:
        """The dataset's label; with the run's tag where the label is taken by other rows."""
        manifest = run.manifest
        decides = (
            manifest["datasets"][label]["digest"],
            manifest["protocol"]["name"],
            manifest["protocol"]["options"],
            manifest["study"]["entropy"],
        )
        identity = json.dumps(decides, sort_keys=True, default=str)
        name = label
        if self._identity.setdefault(label, identity) != identity:
            name = f"{label} ({self._tags[id(run)]})"
            self._identity[name] = identity
        return name

    def table(self, tables: Sequence[pd.DataFrame]) -> pd.DataFrame:
        """One table of all runs, renamed; `tables` are in the order the runs were added."""
        frames = []
        for table, (datasets, methods) in zip(tables, self._renamed, strict=True):
            renamed = table.assign(dataset=table["dataset"].map(datasets))
            if "method" in table:
                keys = zip(table["dataset"], table["method"], strict=True)
                # Without a dtype the column of a table without rows would be one of numbers.
                renamed["method"] = np.array([methods[key] for key in keys], dtype=object)
            frames.append(renamed)
        filled = [frame for frame in frames if len(frame)]
        return pd.concat(filled, ignore_index=True) if filled else frames[0]
