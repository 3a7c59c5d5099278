"""One dataset of a report, and what is looked at in it: a target by a protected attribute."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

__all__ = ["Aspect", "Sheet", "rows_of"]


@dataclass(frozen=True)
class Sheet:
    """One dataset of a report, with every method that was run on it.

    Attributes
    ----------
    facts, protocol
        What the manifest says of the dataset and of the protocol.
    methods
        What the manifest says of each method, by label, the baseline first.
    baseline
        Label of the method the others are read against, if there is one.
    """

    label: str
    facts: Mapping[str, Any]
    protocol: Mapping[str, Any]
    methods: Mapping[str, Mapping[str, Any]]
    baseline: str | None

    @property
    def aspects(self) -> Iterator[Aspect]:
        """Every target with every protected attribute, the main ones first."""
        for target in self.facts["targets"]:
            for attribute in self.facts["protected"]:
                yield Aspect(self, target, attribute["name"])

    def tradeoff(self, method: str, value: float) -> str:
        """A trade-off value with its symbol, or a dash."""
        tradeoff = self.methods[method]["tradeoff"]
        return "–" if tradeoff is None or pd.isna(value) else f"{tradeoff['name']} = {value:.4g}"


@dataclass(frozen=True)
class Aspect:
    """One target of a dataset by one protected attribute."""

    sheet: Sheet
    target: str
    protected: str

    @property
    def name(self) -> str:
        """Target and attribute, in words."""
        return f"{self.target} by {self.protected}"

    @property
    def labels(self) -> tuple[str, ...]:
        """Labels of the attribute's groups."""
        own = next(a for a in self.sheet.facts["protected"] if a["name"] == self.protected)
        return tuple(own["labels"])

    def of(self, table: pd.DataFrame, /) -> pd.DataFrame:
        """Rows of `table` on this, in the order of the sheet's methods where they name one."""
        own = table[
            (table["dataset"] == self.sheet.label)
            & (table["target"] == self.target)
            & (table["protected"] == self.protected)
        ]
        if "method" not in own:
            return own
        order = {method: place for place, method in enumerate(self.sheet.methods)}
        return own.sort_values("method", key=lambda names: names.map(order), kind="stable")


def rows_of(table: pd.DataFrame, /) -> Iterator[Any]:
    """Yield the rows of a table as tuples with the names of its columns."""
    return table.itertuples(index=False)
