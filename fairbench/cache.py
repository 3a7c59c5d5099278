"""Where fairbench keeps what it downloaded or compiled once."""

from __future__ import annotations

import os
from pathlib import Path

from fairbench.errors import StudyError

__all__ = ["cache_dir"]


def cache_dir() -> Path:
    """The folder ``FAIRBENCH_CACHE``, or fairbench's own in the user's cache.

    Raises
    ------
    StudyError
        When the former begins with the home of nobody.
    """
    if folder := os.environ.get("FAIRBENCH_CACHE"):
        try:
            return Path(folder).expanduser()
        except RuntimeError as error:
            raise StudyError(
                f"{folder!r} is no folder: {error}",
                where="FAIRBENCH_CACHE",
                mend="name a folder by its full path",
            ) from error
    import pooch

    return Path(pooch.os_cache("fairbench"))
