"""Runs on disk: nothing that was finished is ever lost, and nothing is believed unproved."""

from fairbench.store.atomic import write_bytes, writing
from fairbench.store.chunk import Cost, StoredChunk
from fairbench.store.derived import foundation, read_derived, read_proved
from fairbench.store.folder import RunFolder, Standing
from fairbench.store.rows import Rows
from fairbench.store.sealed import read_json, write_json
from fairbench.store.verification import Verified, repair, verify

__all__ = [
    "Cost",
    "Rows",
    "RunFolder",
    "Standing",
    "StoredChunk",
    "Verified",
    "foundation",
    "read_derived",
    "read_json",
    "read_proved",
    "repair",
    "verify",
    "write_bytes",
    "write_json",
    "writing",
]
