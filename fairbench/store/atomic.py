"""Files that are either whole or absent, whatever happens while they are written."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from fairbench.disk import flush
from fairbench.errors import RunFolderError

__all__ = ["PART", "part_of", "read_bytes", "write_bytes", "writing"]

PART = ".part"
"""Suffix of a file that is being written; one that stays was left by a kill."""


def write_bytes(path: Path, content: bytes, /) -> None:
    """Write beside `path`, flush to the disk, then rename over it.

    Only a regular file is ever replaced: neither a device nor a folder, and no symbolic link,
    which somebody put there on purpose.

    Raises
    ------
    OSError
        Where that is not possible; `path` is as it was.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    _check_replaceable(path)
    beside = path.with_name(f".{path.name}.{os.getpid()}{PART}")
    _check_replaceable(beside)
    try:
        beside.unlink(missing_ok=True)  # of a process that had our number and was killed
        with beside.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except BaseException:
        with suppress(OSError):
            beside.unlink(missing_ok=True)
        raise
    flush(path.parent)


def _check_replaceable(path: Path) -> None:
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISREG(mode):
        kind = "a symbolic link" if stat.S_ISLNK(mode) else "no regular file"
        raise OSError(errno.EEXIST, f"it is {kind}, which is never replaced", str(path))


def part_of(name: str, /) -> str | None:
    """Return the file that `name` is the unfinished beginning of, or None where it is of none."""
    stem, dot, number = name.removesuffix(PART).rpartition(".")
    ours = name.startswith(".") and name.endswith(PART) and dot and number.isdecimal()
    return stem[1:] if ours else None


@contextmanager
def writing(folder: Path, /) -> Iterator[None]:
    """Turn a failure to write within the block into a `RunFolderError` that says what to do."""
    try:
        yield
    except OSError as error:
        raise RunFolderError(
            f"the run folder cannot be written: {error.strerror or error}",
            where=str(error.filename or folder),
            hint="make room or make it writable, then run the same command again: what was "
            "finished is kept",
        ) from error


def read_bytes(path: Path, /) -> bytes | None:
    """The content of a file of a run; None where there is none of that name.

    Raises
    ------
    RunFolderError
        Where it is there and cannot be read. That is no damage: the same file may well be whole
        when the disk, the network or the permissions are mended.
    """
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise OSError(errno.EINVAL, "it is no regular file")
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise RunFolderError(
            f"a file of the run cannot be read: {error.strerror or error}",
            where=str(path),
            hint="mend the disk or the permissions and try again; nothing was changed",
        ) from error
