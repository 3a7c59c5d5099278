"""Finds the files of datasets: search path, package, cache, then download."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from fairbench import toml
from fairbench.cache import cache_dir
from fairbench.data.digest import PACKED, sha256_lf
from fairbench.errors import DataError, StudyError, near

if TYPE_CHECKING:
    from fairbench.dataset import File

__all__ = [
    "Found",
    "Place",
    "absent",
    "check_hash",
    "find",
    "locate",
    "search_path",
]

CONFIG = "fairbench.toml"
KNOWN_KEYS = ("data_dirs",)
IN_THE_PACKAGE = "in the package"


@dataclass(frozen=True, slots=True)
class Place:
    """A folder in which files are looked for, and what put it on the search path."""

    folder: Path
    origin: str


@dataclass(frozen=True, slots=True)
class Found:
    """A file whose hash was checked, and where it lies."""

    path: Path
    origin: str


def search_path() -> tuple[Place, ...]:
    """Folders in the order they are searched.

    ``FAIRBENCH_DATA_DIR`` (several, separated as in PATH), ``data_dirs`` of the nearest
    ``fairbench.toml`` from the working directory upwards (relative to that file), the cache.

    Raises
    ------
    StudyError
        When that ``fairbench.toml`` is not TOML or holds anything but ``data_dirs``.
    """
    variable = os.environ.get("FAIRBENCH_DATA_DIR", "")
    named = [
        Place(Path(folder).expanduser(), "FAIRBENCH_DATA_DIR")
        for folder in variable.split(os.pathsep)
        if folder
    ]
    return (*named, *_configured(), Place(cache_dir(), "cache"))


def find(file: File, /) -> Found | None:
    """The first copy of `file` that is at hand, its hash checked; None where there is none.

    The user's own folders come first, then the copy that ships with the dataset, then the cache.

    Raises
    ------
    DataError
        When the first copy has another hash: it is never passed over for a later one.
    """
    *own, cache = search_path()
    copies = [(place.folder / file.name, place.origin) for place in own]
    if file.package:
        copies.append((_packaged(file), IN_THE_PACKAGE))
    for path, origin in (*copies, (cache.folder / file.name, cache.origin)):
        if path.is_file():
            check_hash(path, file, packed=origin == IN_THE_PACKAGE and path.suffix == PACKED)
            return Found(path, origin)
    return None


def locate(file: File, /) -> Path:
    """A verified local copy of `file`, downloaded into the cache where there is none.

    ``FAIRBENCH_OFFLINE=1`` forbids the download.

    Raises
    ------
    DataError
        When a copy has the wrong hash, or there is none and it cannot be downloaded; the
        message says which file to put where.
    """
    if found := find(file):
        return found.path
    if os.environ.get("FAIRBENCH_OFFLINE", "") not in {"", "0"}:
        raise absent(file, "FAIRBENCH_OFFLINE forbids downloading it")
    if not file.url:
        raise absent(file, "it cannot be downloaded")
    if not file.sha256:
        raise absent(file, "it is not downloaded, because no hash of it is known to check it by")
    from fairbench.data.download import DownloadError, download

    try:
        return download(file, cache_dir())
    except DownloadError as error:
        raise absent(file, str(error)) from error


def check_hash(path: Path, file: File, *, packed: bool = False) -> None:
    """Refuse `path` unless it has (or, `packed`, holds) the bytes of `file`, up to CRLF for LF."""
    if not file.sha256:
        return
    try:
        found = sha256_lf(path, packed=packed)
    except OSError as error:
        raise DataError(
            f"cannot read {file.name}: {error.strerror}", where=str(path), hint="make it readable"
        ) from error
    if found != file.sha256:
        raise DataError(
            f"{file.name} is not the file this dataset is made of: SHA-256 {found}, "
            f"expected {file.sha256}",
            where=str(path),
            hint="remove it, or replace it by an unaltered copy"
            + (f" of {_origin(file)}" if file.url else ""),
        )


def absent(file: File, why: str = "") -> DataError:
    """Say, where no copy of `file` is at hand, which file to put into which folder."""
    places = search_path()
    searched = ", ".join(
        f"{p.folder} ({p.origin}{'' if p.folder.is_dir() else ', no such folder'})" for p in places
    )
    source = f" from {_origin(file)}" if file.url else ""
    pinned = f" (SHA-256 {file.sha256} with LF newlines)" if file.sha256 else ""
    return DataError(
        f"file {file.name} was not found" + (f", and {why}" if why else ""),
        where=f"looked in {searched}",
        hint=f"put {file.name}{source}{pinned} into {places[0].folder}",
    )


def _packaged(file: File) -> Path:
    """Return the copy that ships with the package that ``file.package`` names."""
    from importlib.resources import files

    package, _, name = file.package.partition(":")
    return Path(str(files(package).joinpath(name)))


def _origin(file: File) -> str:
    return f"{file.url}, member {file.member}" if file.member else file.url


def _configured() -> tuple[Place, ...]:
    """The ``data_dirs`` of the nearest configuration."""
    here = Path.cwd()
    for folder in (here, *here.parents):
        path = folder / CONFIG
        if path.is_file():
            _check_owner(path)
            return tuple(
                Place((folder / Path(entry).expanduser()).resolve(), str(path))
                for entry in _data_dirs(path)
            )
    return ()


def _check_owner(path: Path) -> None:
    """Refuse a configuration that somebody else may have put in the way, as git does."""
    if not hasattr(os, "geteuid"):
        return
    own = {os.geteuid(), int(os.environ.get("SUDO_UID", "-1")) if os.geteuid() == 0 else -1, 0}
    if path.stat().st_uid not in own:
        raise StudyError(
            f"{CONFIG} belongs to another user, who could send this run to files of theirs",
            where=str(path),
            hint="make it yours if you trust it, or name the folders in FAIRBENCH_DATA_DIR and "
            "work elsewhere",
        )


def _data_dirs(path: Path) -> list[str]:
    document = toml.load(path)
    for key in document:
        if key not in KNOWN_KEYS:
            raise StudyError(
                f"unknown key {key!r}", where=_place(path, key), hint=near(key, KNOWN_KEYS)
            )
    folders = document.get("data_dirs", [])
    if not isinstance(folders, list) or not all(isinstance(entry, str) for entry in folders):
        raise StudyError(
            "data_dirs is not a list of folders",
            where=_place(path, "data_dirs"),
            hint='write it as data_dirs = ["data", "../tables"]',
        )
    return folders


def _place(path: Path, key: str) -> str:
    return f"{path}, line {toml.line_of(path.read_text(encoding='utf-8-sig'), [key])}"
