"""Files that are either whole or absent, whatever happens while they are written."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from fairbench.errors import RunFolderError

__all__ = ["PART", "read_json", "write_bytes", "write_json", "writing"]

PART = ".part"
"""Suffix of a file that is being written; one that stays was left by a kill."""


def write_bytes(path: Path, content: bytes, /) -> None:
    """Write beside `path`, flush to the disk, then rename over it.

    Raises
    ------
    OSError
        Where that is not possible; `path` is as it was.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}{PART}")
    try:
        with beside.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except BaseException:
        with suppress(OSError):
            beside.unlink(missing_ok=True)
        raise
    _flush_folder(path.parent)


@contextmanager
def writing(folder: Path, /) -> Iterator[None]:
    """Turn a failure to write within the block into a `RunFolderError` that says what to do."""
    try:
        yield
    except OSError as error:
        raise RunFolderError(
            f"the run folder cannot be written: {error.strerror or error}",
            where=str(error.filename or folder),
            mend="make room or make it writable, then run the same command again: what was "
            "finished is kept",
        ) from error


def _flush_folder(folder: Path) -> None:
    """Make the rename itself durable, where the system lets a folder be flushed."""
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError:  # Windows opens no folder
        return
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_json(path: Path, content: Any, /) -> None:
    """Write `content` as readable JSON, atomically."""
    text = json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False)
    # A file's name may be no Unicode; what JSON then holds is its own escape.
    write_bytes(path, (text + "\n").encode(errors="backslashreplace"))


def read_json(path: Path, /) -> Any:
    """Read JSON written by `write_json`."""
    return json.loads(path.read_text(encoding="utf-8"))
