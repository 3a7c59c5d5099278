"""Sections: what one says reaches every format."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator

import pandas as pd
import pytest

from fairbench.analyze import Run
from fairbench.plugins import load
from fairbench.report import (
    SECTIONS,
    Cells,
    Code,
    Data,
    Definitions,
    Intervals,
    Mark,
    Said,
    Section,
    Verdict,
    View,
    gather,
)

PEOPLE = ("terminal", "markdown", "latex", "html")
WALKERS = (
    "fairbench.report.walk",
    *(
        f"fairbench_reporters.{name}"
        for name in ("csv_tables", "html_page", "json_document", "static_figures")
    ),
)


class Extra(Section):
    """One block of each kind and one table for programs."""

    name = "extra"
    title = "An extra section"

    def of_report(self, contents) -> Iterator:
        yield Said("said of the report", lead="Beware", see="summary")
        yield Code("command to copy", title="A command")

    def of_sheet(self, contents, sheet) -> Iterator:
        yield Definitions((("colour", f"of {sheet.label}"),), title="Some facts")

    def of_aspect(self, contents, aspect) -> Iterator:
        yield Verdict("curious", f"a sentence on {aspect.target}")
        yield Cells(("heading", "other"), (("a cell", "5"),), (1,), name="extra", title="A table")
        yield Intervals("forest", "an axis", (Mark("a mark", 1.0, 0.5, 2.0),), "a caption")

    def data(self, contents) -> Iterator:
        yield Data("extra-table", pd.DataFrame({"column": ["a value"]}))


@pytest.fixture
def with_extra(monkeypatch):
    for name in WALKERS:
        module = importlib.import_module(name)
        monkeypatch.setattr(module, "SECTIONS", (*SECTIONS, Extra()))


def documents(form: str, run: Run):
    return load().find("reporter", form).build({}).render([run], View())


def test_a_new_section_is_in_every_format_for_people(with_extra, small):
    for form in PEOPLE:
        text = re.sub(r"\\(.)", r"\1", next(iter(documents(form, small).values())))
        for words in (
            *("An extra section", "Beware", "said of the report", "command to copy"),
            *("Some facts", "colour", "of boston", "a sentence on motor_UPDRS"),
            *("A table", "heading", "a cell"),
        ):
            if (form, words) == ("html", "An extra section"):
                assert '<section id="extra">' in text
                assert '<a href="#extra">' in text
            assert words in text, (form, words)
    assert "a caption" in text  # the page draws the intervals
    assert "a mark: 1" in text


def test_a_new_section_is_in_every_format_for_programs(with_extra, small):
    assert "a value" in documents("csv", small)["extra-table.csv"]
    assert '"extra_table": [' in documents("json", small)["report.json"]
    assert "forest-boston-motor_UPDRS-sex.svg" in documents("svg", small)


def test_every_format_tells_of_groups(render, small):
    contents = gather([small], View())
    groups = contents.table(Run.group_intervals)
    pairs = contents.table(Run.group_pairs)
    assert len(groups) > 5
    assert len(pairs) > 2
    for form in PEOPLE:
        text = render(form, small)
        for words in ("rows or clusters", "adjusted p", "evidence"):
            assert words in text, form
        for value in groups["value"]:
            assert f"{value:.4g}" in text, form
    assert any(name.startswith("groups-") for name in documents("svg", small))


def test_names_of_sections_and_tables_are_their_own():
    names = [section.name for section in SECTIONS]
    assert len(set(names)) == len(names)


def test_a_narrow_terminal_drops_columns_and_breaks_no_word(small, monkeypatch):
    from rich.console import Console

    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.setattr(Console, "is_terminal", True)
    text = re.sub(r"\x1b\[[0-9;]*m", "", documents("terminal", small)["report.txt"])
    assert max(map(len, text.splitlines())) <= 60
    assert "Left out on 60 columns:" in text
    for word in ("method", "trade-off", "single-task", "clusters", "rmse-disparity", "4.327"):
        assert re.search(rf"^[│┃].* {word} .*[│┃]$", text, re.MULTILINE), word
