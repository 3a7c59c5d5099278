"""Runs on disk: nothing that was finished is ever lost."""

from fairbench.store.atomic import read_json, write_bytes, write_json
from fairbench.store.folder import Rows, RunFolder, StoredChunk

__all__ = ["Rows", "RunFolder", "StoredChunk", "read_json", "write_bytes", "write_json"]
