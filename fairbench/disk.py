"""What reaches the disk, and when."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["flush"]


def flush(path: Path, /) -> None:
    """Wait until a file, or the names in a folder, are on the disk.

    A rename is durable once its folder was flushed. Where the system opens no folder, as Windows,
    nothing is done.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError:
        return
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
