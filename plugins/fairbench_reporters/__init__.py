"""The report formats that ship with fairbench."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fairbench.plugins import ReporterDescription, hookimpl

if TYPE_CHECKING:
    from collections.abc import Iterator


@hookimpl
def fairbench_reporters() -> Iterator[ReporterDescription]:
    """One reporter per format."""
    formats = {
        "terminal": ("Tables on the terminal", "terminal_tables:Terminal"),
        "html": ("One self-contained file with interactive figures", "html_page:Html"),
        "markdown": ("Tables for a pull request or a notebook", "markdown_tables:Markdown"),
        "csv": ("Tables for a spreadsheet, one file each", "csv_tables:Csv"),
        "json": ("One document for programs", "json_document:Json"),
        "latex": ("Tables for a paper", "latex_tables:Latex"),
        "svg": ("Figures for a paper or a page", "static_figures:Svg"),
        "png": ("Figures as images", "static_figures:Png"),
        "pdf": ("Figures for a paper", "static_figures:Pdf"),
    }
    for name, (summary, target) in formats.items():
        yield ReporterDescription(
            name=name, summary=summary, target=f"fairbench_reporters.{target}"
        )
