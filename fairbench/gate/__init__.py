"""The gate: what a run reached, held against what an earlier one reached."""

from fairbench.gate.comparisons import LEVEL, compare
from fairbench.gate.formats import as_junit, as_markdown
from fairbench.gate.intervals import unpaired_interval
from fairbench.gate.outcome import Comparison, Outcome, Skipped, Status
from fairbench.gate.points import SHARE, gated_metrics, measure, readable
from fairbench.gate.snapshot import (
    FORMAT,
    DatasetFacts,
    Place,
    Point,
    ProtocolFacts,
    Record,
    Snapshot,
    Tolerance,
    read,
    value_key,
    write,
)
from fairbench.gate.verdict import HEADER, Verdict, cells, clean

__all__ = [
    "FORMAT",
    "HEADER",
    "LEVEL",
    "SHARE",
    "Comparison",
    "DatasetFacts",
    "Outcome",
    "Place",
    "Point",
    "ProtocolFacts",
    "Record",
    "Skipped",
    "Snapshot",
    "Status",
    "Tolerance",
    "Verdict",
    "as_junit",
    "as_markdown",
    "cells",
    "clean",
    "compare",
    "gated_metrics",
    "measure",
    "read",
    "readable",
    "unpaired_interval",
    "value_key",
    "write",
]
