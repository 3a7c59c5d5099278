"""The card of every dataset: where it is from, what became of it, and what to beware of."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar

from fairbench.report.blocks import Block, Definitions
from fairbench.report.section import Data, Section

if TYPE_CHECKING:
    from fairbench.report.contents import Contents
    from fairbench.report.sheet import Sheet

__all__ = ["DataCards"]


class DataCards(Section):
    """One card per dataset."""

    name: ClassVar[str] = "data"
    title: ClassVar[str] = "Data"

    def of_sheet(self, contents: Contents, sheet: Sheet, /) -> Iterator[Block]:
        told = tuple((name, words) for name, words in _card(contents, sheet) if words)
        yield Definitions(told, title=f"{sheet.facts['title']}")

    def data(self, contents: Contents, /) -> Iterator[Data]:
        yield Data("groups", contents.groups, bulky=True)


def _card(contents: Contents, sheet: Sheet) -> Iterator[tuple[str, str]]:
    """Yield the data card line by line: what it is called, and what it says."""
    facts = sheet.facts
    yield "Source", facts["source"]
    yield "Licence", facts["licence"]
    yield "Citation", facts["citation"]
    dropped = "; ".join(f"{count} for {reason}" for reason, count in facts["dropped"])
    yield "Rows", f"{facts['rows']}" + (f" (dropped: {dropped})" if dropped else "")
    yield "Clusters", facts["cluster"] and f"rows of one {facts['cluster']} stay together"
    yield "Features", f"{len(facts['features'])}: {', '.join(facts['features'])}"
    yield "Targets", ", ".join(facts["targets"])
    for attribute in facts["protected"]:
        sizes = _test_sizes(contents, sheet, attribute["name"])
        groups = ", ".join(f"{label} ({sizes.get(label, '–')})" for label in attribute["labels"])
        name = f"{attribute['name']} ({attribute['kind']})"
        yield "Protected", f"{name}; groups with their rows in a test part: {groups}"
    for caveat in facts["caveats"]:
        yield "Caveat", caveat


def _test_sizes(contents: Contents, sheet: Sheet, protected: str) -> dict[str, str]:
    """By group, the fewest and the most test rows over the splits."""
    table = contents.groups
    own = table[
        (table["dataset"] == sheet.label)
        & (table["protected"] == protected)
        & (table["part"] == "test")
    ]
    sizes = own.groupby("group")["n"].agg(["min", "max"])
    return {
        str(group): f"{low}" if low == high else f"{low}–{high}"
        for group, low, high in sizes.itertuples()
    }
