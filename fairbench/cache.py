"""Where fairbench keeps what it downloaded or compiled once."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from fairbench.errors import StudyError

__all__ = ["cache_dir"]


def cache_dir() -> Path:
    """The folder ``FAIRBENCH_CACHE``, or fairbench's own in the user's cache.

    A user without a home, as in a container, has one among the temporary files.

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
                hint="name a folder by its full path",
            ) from error
    import pooch

    try:
        return Path(pooch.os_cache("fairbench"))
    except RuntimeError:
        user = os.getuid() if hasattr(os, "getuid") else "user"
        return Path(tempfile.gettempdir()) / f"fairbench-{user}"
