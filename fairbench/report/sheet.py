"""One dataset of a report."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

__all__ = ["Sheet"]


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
    def views(self) -> Iterator[tuple[str, str]]:
        """Every target with every protected attribute, the main ones first."""
        for target in self.facts["targets"]:
            for attribute in self.facts["protected"]:
                yield target, attribute["name"]

    def tradeoff(self, method: str, value: float) -> str:
        """A trade-off value with its symbol, or a dash."""
        tradeoff = self.methods[method]["tradeoff"]
        return "–" if tradeoff is None or pd.isna(value) else f"{tradeoff['name']} = {value:.4g}"
