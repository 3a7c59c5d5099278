"""The files a reproduction leaves behind."""

from __future__ import annotations

from collections.abc import Mapping

from fairbench_paper.reproduction.figures import figures
from fairbench_paper.reproduction.render import html, markdown
from fairbench_paper.reproduction.results import Results
from fairbench_paper.reproduction.storage import dumps

__all__ = ["documents", "pages"]


def documents(results: Results, /) -> Mapping[str, str]:
    """Contents by file name: the page first, then results, Markdown and figures."""
    return {
        "report.html": html(results),
        "results.json": dumps(results),
        **_shown(results, "report.md"),
    }


def pages(results: Results, /) -> Mapping[str, str]:
    """The docs page and its figures by path within ``docs``, from the results alone."""
    return _shown(results, "paper.md", "paper/")


def _shown(results: Results, page: str, folder: str = "") -> dict[str, str]:
    drawn = [figure for dataset in results.datasets for figure in figures(dataset)]
    return {
        page: markdown(results, folder.rstrip("/") or "."),
        **{f"{folder}figure-{figure.number}.svg": figure.svg for figure in drawn},
    }
