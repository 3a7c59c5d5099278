"""Markdown: tables for a pull request or a notebook."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fairbench.errors import visible
from fairbench.report import Documents, Reporter, View, gather
from fairbench_reporters import _cells, _judged, _ranked

if TYPE_CHECKING:
    from fairbench.analyze import Run
    from fairbench.report import Contents, Sheet

__all__ = ["Markdown"]


@dataclass(frozen=True)
class Markdown(Reporter):
    """Verdicts, points, data cards, audits, failures and costs."""

    def render(self, runs: Sequence[Run], view: View, /) -> Documents:
        contents = gather(runs, view)
        return {"report.md": "\n".join(_lines(contents)) + "\n"}


def _lines(contents: Contents) -> Iterator[str]:
    yield f"# {_escaped(contents.title)}"
    for sheet in contents.sheets:
        yield from _sheet(contents, sheet)
    if (ranked := _ranked.table(contents)).rows:
        yield from ("", "## Ranking across datasets", "", _escaped(_ranked.sentence(contents)))
        yield from ("", *_table(ranked))
    yield from ("", "## Audits", "", *_table(_judged.audits(contents)))
    for warning in contents.judgement.disagreements["warning"]:
        yield from ("", f"**Warning:** {_escaped(warning)}")
    if (lost := _cells.failures(contents)).rows:
        yield from ("", "## Failed", "", "These trials are missing above.", "", *_table(lost))
    if (lost := _cells.diverged(contents)).rows:
        yield from ("", "## Trials without predictions", "", *_table(lost))
    if contents.remarks:
        yield from ("", "## Notes", "", *(f"- {_escaped(r)}" for r in contents.remarks))
    yield from ("", "## Costs", "", *_table(_cells.costs(contents)))
    for run in contents.runs:
        if run.manifest["command"]:
            # A code block shows every character as it is; indented, nothing in it can end it.
            command = visible(" ".join(run.manifest["command"].splitlines()))
            yield from ("", "Run again with", "", f"    {command}")


def _sheet(contents: Contents, sheet: Sheet) -> Iterator[str]:
    yield from ("", f"## {_escaped(sheet.label)}", "")
    yield f"Protocol {_escaped(sheet.protocol['name'])}: {_escaped(sheet.protocol['label'])}"
    for warning in _cells.warnings(sheet):
        yield from ("", f"**Warning:** {_escaped(warning)}")
    for target, protected in sheet.views:
        yield from ("", f"### {_escaped(target)} by {_escaped(protected)}", "")
        for verdict, sentence in _judged.verdicts(contents, sheet, target, protected):
            yield f"- **{verdict}** – {_escaped(sentence)}"
        yield from ("", _escaped(_judged.noise_sentence(contents, sheet, target, protected)))
        compared = _judged.comparison(contents, sheet, target, protected)
        if compared.rows:
            yield from ("", *_table(compared), "")
        yield "Fronts chosen on selection rows; mean ± sd over splits and seeds on test rows."
        yield from ("", *_table(_cells.points(contents, sheet, target, protected)))
    yield from ("", f"Data: {_escaped(sheet.facts['title'])}", "")
    for name, words in _cells.card(sheet, contents):
        if words:
            yield f"- {name}: {_escaped(words)}"


def _table(cells: _cells.Cells) -> Iterator[str]:
    yield _row(map(_escaped, cells.header))
    yield _row("---:" if k in cells.numbers else "---" for k in range(len(cells.header)))
    for row in cells.rows:
        yield _row(map(_escaped, row))


def _row(cells: Iterator[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _escaped(words: str) -> str:
    """Words as they are: neither Markdown nor HTML in them takes effect."""
    line = html.escape(" ".join(visible(words, keep="\n\t").split()), quote=False)
    return re.sub(r"([\\`*_{}\[\]()#|~!])", r"\\\1", line)
