"""Where fairbench keeps what it downloaded or compiled once."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["cache_dir"]


def cache_dir() -> Path:
    """The folder ``FAIRBENCH_CACHE``, or fairbench's own in the user's cache."""
    if folder := os.environ.get("FAIRBENCH_CACHE"):
        return Path(folder).expanduser()
    import pooch

    return Path(pooch.os_cache("fairbench"))
