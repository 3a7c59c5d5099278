"""What is computed of a run and can be computed again: what it rests on, and how it is read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fairbench.errors import RunFolderError
from fairbench.store.atomic import read_bytes
from fairbench.store.chunk import damaged
from fairbench.store.pairs import check_arrays
from fairbench.store.sealed import DamageError, read_json

if TYPE_CHECKING:
    from fairbench.store.folder import RunFolder

__all__ = ["foundation", "read_derived", "read_proved"]


def foundation(folder: RunFolder, /) -> Iterator[Mapping[str, Any]]:
    """Yield the documents that all of a run follows from, in one fixed order.

    They are the manifest, and what is said of every table of rows, chunk and failure. The arrays
    that belong to them are held against the hashes that stand in them.

    Raises
    ------
    RunFolderError
        Where a file is not what was written, or cannot be read.
    """
    yield folder.manifest
    for stem in folder.row_files():
        yield _rows(folder, stem)
    for chunk in folder.chunks():
        try:
            chunk.check()
        except DamageError as error:
            raise damaged(chunk.path, error) from error
        yield chunk.meta
    yield from folder.failures()


def _rows(folder: RunFolder, stem: str) -> Mapping[str, Any]:
    file = folder.path / "rows" / f"{stem}.json"
    try:
        about = folder.about_rows(stem)
        if about is None:
            raise DamageError("it is missing")
        file = file.with_suffix(".npz")
        check_arrays(file, about["arrays"])
    except DamageError as error:
        raise damaged(file, error) from error
    return about


def read_derived(path: Path, /) -> dict[str, Any]:
    """Return the sealed document in a file; empty unless it is there, whole and readable."""
    try:
        return read_json(path) or {}
    except (DamageError, RunFolderError):
        return {}


def read_proved(path: Path, digest: str, /) -> bytes | None:
    """Return the content of a file where its SHA-256 is `digest`, otherwise None."""
    try:
        content = read_bytes(path)
    except RunFolderError:
        return None
    return content if content is not None and sha256(content).hexdigest() == digest else None
