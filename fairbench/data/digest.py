"""The digest that says whether a copy of a dataset's file is unaltered."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["PACKED", "sha256_lf"]

BLOCK = 1 << 20
PACKED = ".xz"
"""Suffix of a compressed copy inside a package; pandas reads these as they are."""


def sha256_lf(path: Path, /, *, packed: bool = False) -> str:
    """SHA-256 of the file with CRLF read as LF: copies with either are in circulation.

    With `packed` it is that of what the xz archive at `path` holds.

    Raises
    ------
    OSError
        When the file cannot be read, or is no whole xz archive.
    """
    import lzma

    sha = hashlib.sha256()
    held = b""
    try:
        with lzma.open(path) if packed else path.open("rb") as stream:
            while block := stream.read(BLOCK):
                block = held + block
                held = b"\r" if block.endswith(b"\r") else b""  # its LF may open the next block
                sha.update(block[: len(block) - len(held)].replace(b"\r\n", b"\n"))
    except (lzma.LZMAError, EOFError) as error:
        raise OSError(0, f"no whole xz archive ({error})", str(path)) from error
    sha.update(held)
    return sha.hexdigest()
