"""LaTeX: tables for a paper; they need the package booktabs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fairbench.errors import visible
from fairbench.report import (
    Block,
    Cells,
    Code,
    Definitions,
    Documents,
    Heading,
    Intervals,
    Reporter,
    Said,
    Verdict,
    View,
    gather,
    in_text,
)

if TYPE_CHECKING:
    from fairbench.analyze import Run

__all__ = ["Latex"]

_SPECIAL = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    '"': r"\textquotedbl{}",
    "|": r"\textbar{}",
    "±": r"$\pm$",
    "−": "$-$",
    "–": "--",
    "…": r"\ldots{}",
    "“": "``",
    "”": "''",
    "²": "$^2$",
    "×": r"$\times$",
    "≤": r"$\leq$",
    "≥": r"$\geq$",
    "⁺": r"$^+$",
    "ε": r"$\varepsilon$",
    "[": "{[}",  # after the end of a row it would begin an option
    **{character: f"\\{character}" for character in "&%$#_{}"},
}
_HEADINGS = {2: "section", 3: "subsection"}


@dataclass(frozen=True)
class Latex(Reporter):
    """All sections, with a caption for every table that says what it is about."""

    def render(self, runs: Sequence[Run], view: View, /) -> Documents:
        lines = ["% Needs \\usepackage{booktabs}, and T1 fonts for quotation marks."]
        place = ""
        for block in in_text(gather(runs, view), details=True):
            if isinstance(block, Heading):
                place = block.place
            lines += ("", *_lines(block, place))
        return {"report.tex": "\n".join(lines) + "\n"}


def _lines(block: Heading | Block, place: str) -> Iterator[str]:
    match block:
        case Heading():
            if block.level in _HEADINGS:
                yield f"\\{_HEADINGS[block.level]}*{{{_escaped(block.text)}}}"
        case Said():
            lead = f"\\textbf{{{_escaped(block.lead)}:}} " if block.lead else ""
            yield f"\\noindent {lead}{_escaped(block.text)}"
        case Verdict():
            yield f"\\noindent \\textbf{{{_escaped(block.verdict)}}} -- {_escaped(block.sentence)}"
        case Cells():
            where = f"{place}: " if place else ""
            yield from _table(block, f"{where}{block.title}.")
        case Definitions():
            yield f"\\noindent {_escaped(block.title)}"
            yield r"\begin{description}"
            yield from (f"\\item[{{{_escaped(k)}}}] {_escaped(v)}" for k, v in block.pairs)
            yield r"\end{description}"
        case Code():
            yield f"\\noindent {_escaped(block.title)}: \\texttt{{{_escaped(block.text)}}}"
        case Intervals():
            yield f"% A figure of {_escaped(block.axis)}: --format pdf draws it."


def _table(cells: Cells, caption: str) -> Iterator[str]:
    columns = "".join("r" if k in cells.numbers else "l" for k in range(len(cells.header)))
    yield from (r"\begin{table}", r"\centering", f"\\caption{{{_escaped(caption)}}}")
    yield from (f"\\begin{{tabular}}{{{columns}}}", r"\toprule")
    yield _row(cells.header)
    yield r"\midrule"
    yield from map(_row, cells.rows)
    yield from (r"\bottomrule", r"\end{tabular}", r"\end{table}")


def _row(cells: Sequence[str]) -> str:
    return " & ".join(map(_escaped, cells)) + r" \\"


def _escaped(words: str) -> str:
    """Words as they are: nothing in them is a command."""
    line = " ".join(visible(words, keep="\n\t").split())
    return "".join(_SPECIAL.get(character, character) for character in line)
