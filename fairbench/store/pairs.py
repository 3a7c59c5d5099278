"""Arrays and what is said of them: NAME.npz, and a sealed NAME.json that makes it count."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fairbench.store.arrays import loaded, npz
from fairbench.store.atomic import read_bytes, write_bytes
from fairbench.store.sealed import DamageError, read_json, write_json

if TYPE_CHECKING:
    import numpy as np

__all__ = ["Owner", "check_arrays", "read_arrays", "read_document", "write_document", "write_pair"]


@dataclass(frozen=True, slots=True)
class Owner:
    """The claim of a file: to which run it belongs (the manifest's id), and under which name."""

    run: str
    key: str

    @property
    def stamp(self) -> dict[str, str]:
        """The same as the first entries of a document."""
        return {"run": self.run, "key": self.key}


def write_document(path: Path, owner: Owner, document: Mapping[str, Any], /) -> None:
    """Write a sealed document that says whose it is."""
    write_json(path, {**owner.stamp, **document})


def read_document(path: Path, owner: Owner, /) -> dict[str, Any] | None:
    """Return what `write_document` wrote there for `owner`; None where there is no such file.

    Raises
    ------
    DamageError
        Where it is not what was written, or was written for another owner: a whole file in the
        wrong place is as wrong as a broken one.
    RunFolderError
        Where it cannot be read.
    """
    document = read_json(path)
    if document is None:
        return None
    if document.get("key") != owner.key:
        raise DamageError(f"it is the file of {document.get('key')!r:.100}")
    if document.get("run") != owner.run:
        raise DamageError("it belongs to another run")
    return document


def write_pair(
    stem: Path, owner: Owner, arrays: Mapping[str, np.ndarray], document: Mapping[str, Any], /
) -> None:
    """Write `arrays` first, then the document that makes them count and holds their hash."""
    content = npz(arrays)
    write_bytes(stem.with_name(f"{stem.name}.npz"), content)
    digest = sha256(content).hexdigest()
    write_document(stem.with_name(f"{stem.name}.json"), owner, {"arrays": digest, **document})


def read_arrays(path: Path, digest: str, /) -> dict[str, np.ndarray]:
    """The arrays in the file at `path`, whose SHA-256 is `digest`.

    Raises
    ------
    DamageError
        Where they are missing or not what was written.
    RunFolderError
        Where they cannot be read.
    """
    return loaded(check_arrays(path, digest))


def check_arrays(path: Path, digest: str, /) -> bytes:
    """The bytes of the file at `path`, whose SHA-256 is `digest`; raises as `read_arrays` does."""
    content = read_bytes(path)
    if content is None:
        raise DamageError("it is missing, though the file that describes it is there")
    if sha256(content).hexdigest() != digest:
        raise DamageError("its content is not what was written")
    return content
