"""LaTeX: tables for a paper; they need the package booktabs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fairbench.errors import visible
from fairbench.report import Documents, Reporter, View, gather
from fairbench_reporters import _cells, _judged, _ranked

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
    "⁺": r"$^+$",
    "ε": r"$\varepsilon$",
    "[": "{[}",  # after the end of a row it would begin an option
    **{character: f"\\{character}" for character in "&%$#_{}"},
}


@dataclass(frozen=True)
class Latex(Reporter):
    """Fronts and verdicts, one table each per dataset, target and protected attribute."""

    def render(self, runs: Sequence[Run], view: View, /) -> Documents:
        contents = gather(runs, view)
        lines = ["% Needs \\usepackage{booktabs}, and T1 fonts for quotation marks."]
        for sheet in contents.sheets:
            for target, protected in sheet.views:
                what = f"{sheet.label}, {target} by {protected}"
                points = _cells.points(contents, sheet, target, protected)
                text = "fronts chosen on selection rows; mean ± sd over splits on test rows"
                lines += _table(points, f"{what}: {text}.")
                compared = _judged.comparison(contents, sheet, target, protected)
                if compared.rows:
                    lines += _table(compared, f"{what}: against {sheet.baseline}.")
        if (ranked := _ranked.table(contents)).rows:
            lines += _table(ranked, _ranked.sentence(contents))
        return {"report.tex": "\n".join(lines) + "\n"}


def _table(cells: _cells.Cells, caption: str) -> Iterator[str]:
    columns = "".join("r" if k in cells.numbers else "l" for k in range(len(cells.header)))
    yield from ("", r"\begin{table}", r"\centering", f"\\caption{{{_escaped(caption)}}}")
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
