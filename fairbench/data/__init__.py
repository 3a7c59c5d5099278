"""Read a dataset, by its name or from a user's file, into numbers ready for training."""

from __future__ import annotations

from fairbench.data.build import open_dataset
from fairbench.data.inspect import ColumnFacts, Inspection, inspect_table
from fairbench.data.summary import facts
from fairbench.data.tables import is_path, is_table_file

__all__ = [
    "ColumnFacts",
    "Inspection",
    "facts",
    "inspect_table",
    "is_path",
    "is_table_file",
    "open_dataset",
]
