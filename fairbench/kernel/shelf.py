"""Compiled libraries on disk: whole, as they were made, and written by nobody else.

A library's name holds a key, which says what it was made of, and the SHA-256 of its content. It is
loaded only if its content has that hash and neither it nor its folder can be written by others.
"""

from __future__ import annotations

import hashlib
import os
import stat
import tempfile
import warnings
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from fairbench.cache import cache_dir
from fairbench.disk import flush
from fairbench.errors import StudyError
from fairbench.kernel.compiler import KernelError

__all__ = ["Library", "kept"]


@dataclass(frozen=True, slots=True)
class Library:
    """A library on disk, and the SHA-256 of its bytes."""

    path: Path
    digest: str


def kept(key: str, make: Callable[[Path], Path], /) -> Library:
    """The library of that key, made by `make` in an empty folder where it is not there."""
    from filelock import FileLock

    folder = _folder()
    try:
        if found := _found(folder, key):
            return found
        with FileLock(folder / f"{key}.lock"):
            # Another process may have made it meanwhile.
            return _found(folder, key) or _made(folder, key, make)
    except (OSError, NotImplementedError) as error:  # the latter of a disk without locks
        raise StudyError(
            f"a compiled library cannot be kept: {error}",
            where=str(folder),
            hint="make room there, or name another folder in FAIRBENCH_CACHE",
        ) from error


def _made(folder: Path, key: str, make: Callable[[Path], Path]) -> Library:
    with tempfile.TemporaryDirectory(dir=folder) as draft:
        made = make(Path(draft))
        made.chmod(stat.S_IRWXU)
        digest = hashlib.sha256(made.read_bytes()).hexdigest()
        flush(made)
        place = folder / f"{key}.{digest}.so"
        made.replace(place)
        flush(folder)
        return Library(place, digest)


def _found(folder: Path, key: str) -> Library | None:
    """The library of that key; whatever else has its name is removed."""
    for path in sorted(folder.glob(f"{key}.*.so")):
        digest = path.name.split(".")[1]
        if not _foreign(path) and hashlib.sha256(path.read_bytes()).hexdigest() == digest:
            return Library(path, digest)
        path.unlink()
    return None


@cache
def _folder() -> Path:
    """The first folder that can be written, and by nobody else; the cache's own is preferred."""
    try:
        cache = cache_dir()
    except StudyError as error:
        raise KernelError(error.what) from error
    reasons: list[str] = []
    for name in ("kernel", f"kernel-{_user()}"):
        reason = _unfit(cache / name)
        if reason is None:
            if reasons:
                _warn(reasons[0], cache / name)
            return cache / name
        reasons.append(reason)
    private = tempfile.TemporaryDirectory(prefix="fairbench-kernel-")
    _TEMPORARY.append(private)
    _warn(reasons[0], Path(private.name))
    return Path(private.name)


_TEMPORARY: list[tempfile.TemporaryDirectory[str]] = []
"""Folders of this process, removed when it ends."""


def _unfit(folder: Path) -> str | None:
    """Why nothing in `folder`, which is made if need be, should be loaded; None where it may."""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with suppress(FileExistsError):
            folder.mkdir(mode=stat.S_IRWXU)
        if reason := _foreign(folder):
            return reason
        with tempfile.TemporaryFile(dir=folder):
            return None
    except OSError as error:
        return f"the cache cannot be written: {error}"


def _foreign(path: Path) -> str | None:
    """Who else may have written `path`; None where only this user or the system's may."""
    found = path.lstat()
    if stat.S_ISLNK(found.st_mode):
        return f"{path} is a link"
    if not hasattr(os, "geteuid"):  # Windows
        return None
    if found.st_uid not in (os.geteuid(), 0):
        return f"{path} belongs to another user"
    if found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        return f"{path} can be written by others"
    return None


def _user() -> str:
    return str(os.geteuid()) if hasattr(os, "geteuid") else "own"


def _warn(reason: str, instead: Path) -> None:
    warnings.warn(
        f"compiled code is kept in {instead}: {reason} "
        "(mend it with `chmod go-w`, or name a folder of your own in FAIRBENCH_CACHE)",
        stacklevel=2,
    )
