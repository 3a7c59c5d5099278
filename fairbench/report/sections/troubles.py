"""What is missing from every number, and notes of runs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar

import pandas as pd

from fairbench.report.blocks import Block, Cells, Code, Said
from fairbench.report.section import Data, Section
from fairbench.report.sheet import rows_of

if TYPE_CHECKING:
    from fairbench.report.contents import Contents

__all__ = ["Troubles"]


class Troubles(Section):
    """Chunks that failed, trials without a prediction, and remarks."""

    name: ClassVar[str] = "troubles"
    title: ClassVar[str] = "Failures and notes"

    def of_report(self, contents: Contents, /) -> Iterator[Block]:
        lost, diverged = _failures(contents), _diverged(contents)
        if not lost.rows and not diverged.rows:
            yield Said("Every trial finished with finite predictions.")
        if lost.rows:
            yield Said(
                "These chunks of trials produced nothing and are missing from every number and "
                "figure. Running the same command again tries them again."
            )
            yield lost
            for f in rows_of(contents.failures):
                title = f"Traceback: {f.dataset}, {f.method}, split {f.split}"
                yield Code(str(f.traceback), title=title, folded=True)
        if diverged.rows:
            yield Said(
                "These trials ended without a usable prediction and are missing from every number "
                "and figure."
            )
            yield diverged
        for remark in contents.remarks:
            yield Said(remark, lead="Note")

    def data(self, contents: Contents, /) -> Iterator[Data]:
        yield Data("failures", contents.failures)
        yield Data("diverged", contents.diverged.drop(columns=["chunk", "epochs"]))
        yield Data("unfinished", _column("unfinished", contents.unfinished))
        yield Data("remarks", _column("remark", contents.remarks))


def _column(name: str, words: tuple[str, ...]) -> pd.DataFrame:
    return pd.DataFrame({name: words}, dtype=object)


def _failures(contents: Contents) -> Cells:
    """Chunks that produced nothing."""
    rows = tuple(
        (f.dataset, f.method, str(f.split), str(f.trials), f.reason)
        for f in rows_of(contents.failures)
    )
    header = ("dataset", "method", "split", "trials lost", "reason")
    return Cells(header, rows, numbers=(2, 3), name="failures", title="Failed chunks")


def _diverged(contents: Contents) -> Cells:
    """Trials without a prediction in chunks that finished."""
    sheets = {sheet.label: sheet for sheet in contents.sheets}
    rows = tuple(
        (
            t.dataset,
            t.method,
            sheets[t.dataset].tradeoff(t.method, t.value),
            str(t.seed),
            str(t.split),
            t.status,
            (t.note.strip().splitlines() or [""])[-1],
        )
        for t in rows_of(contents.diverged)
    )
    header = ("dataset", "method", "trade-off", "seed", "split", "status", "note")
    return Cells(
        header, rows, numbers=(3, 4), name="diverged trials", title="Trials without predictions"
    )
