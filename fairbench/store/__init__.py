"""Runs on disk: nothing that was finished is ever lost."""

from fairbench.store.atomic import read_json, write_bytes, write_json, writing
from fairbench.store.folder import Cost, Rows, RunFolder, StoredChunk

__all__ = [
    "Cost",
    "Rows",
    "RunFolder",
    "StoredChunk",
    "read_json",
    "write_bytes",
    "write_json",
    "writing",
]
