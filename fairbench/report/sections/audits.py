"""What audits of data, splits and trials found."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar

from fairbench.report.blocks import Block, Cells, Said
from fairbench.report.section import Data, Section
from fairbench.report.sheet import rows_of

if TYPE_CHECKING:
    from fairbench.report.contents import Contents

__all__ = ["Audits"]


class Audits(Section):
    """Every warning in a sentence, and all findings in a table, warnings first."""

    name: ClassVar[str] = "audits"
    title: ClassVar[str] = "Audits"

    def of_report(self, contents: Contents, /) -> Iterator[Block]:
        table = contents.judgement.audits.sort_values("level", ascending=False, kind="stable")
        found = tuple((a.level, a.dataset, a.check, a.text) for a in rows_of(table))
        for level, dataset, check, text in found:
            if level == "warning":
                yield Said(text, lead=f"Audit of {dataset}, {check}")
        header = ("level", "dataset", "audit", "finding")
        yield Cells(header, found, name="audits", title="All findings", folded=True)

    def data(self, contents: Contents, /) -> Iterator[Data]:
        yield Data("audits", contents.judgement.audits)
