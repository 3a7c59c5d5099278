"""The places of a run folder: which names in it are ours, and how they are moved or removed."""

from __future__ import annotations

import os
import stat
from collections.abc import Collection, Iterator
from itertools import count
from pathlib import Path

from fairbench.errors import RunFolderError
from fairbench.store.atomic import part_of

__all__ = [
    "ASIDE",
    "FOLDERS",
    "check_places",
    "leftovers",
    "names_in",
    "remove",
    "set_aside",
    "strangers",
]

ASIDE = "aside"
"""Where damaged files go."""

FOLDERS = ("chunks", "failures", "rows")

_TOP = ("manifest.json", "plan.json", "report.html", "tables.json")
"""Names of files in the run folder itself, beside derived tables."""


def check_places(folder: Path, /) -> None:
    """Refuse a run folder parts of which lie elsewhere, behind a symbolic link.

    Raises
    ------
    RunFolderError
        Where a folder of it, or its lock, is a symbolic link.
    """
    for name in (*FOLDERS, ASIDE, ".lock"):
        if (folder / name).is_symlink():
            raise RunFolderError(
                f"{name} is a symbolic link, which is not followed for writing",
                where=str(folder / name),
                hint="put the folder itself in its place, or choose another --out",
            )


def names_in(folder: Path, suffix: str, /) -> set[str]:
    """Stems of the visible files in `folder` whose names end in `suffix`; none without a folder.

    Raises
    ------
    RunFolderError
        Where the folder cannot be read.
    """
    try:
        with os.scandir(folder) as entries:
            names = [entry.name for entry in entries]
    except FileNotFoundError:
        return set()
    except OSError as error:
        raise RunFolderError(
            f"the run folder cannot be read: {error.strerror or error}",
            where=str(folder),
            hint="mend the disk or the permissions and try again; nothing was changed",
        ) from error
    return {n.removesuffix(suffix) for n in names if n.endswith(suffix) and not n.startswith(".")}


def leftovers(folder: Path, stems: Collection[str], /) -> Iterator[Path]:
    """Files that a kill left half written, of those named by `stems` or at the folder's top."""
    for place in (folder, *(folder / name for name in FOLDERS)):
        if place.is_symlink() or not place.is_dir():
            continue
        for file in place.glob(".*.part"):
            name = part_of(file.name)
            if name is None or not stat.S_ISREG(file.lstat().st_mode):
                continue
            top = name in _TOP or name.endswith(".parquet")
            if top if place == folder else name.rpartition(".")[0] in stems:
                yield file


def strangers(folder: Path, stems: Collection[str], /) -> Iterator[str]:
    """Visible names in the folders of a run that are not among `stems`, from the run's folder."""
    for place in FOLDERS:
        for name in names_in(folder / place, ""):
            stem, dot, suffix = name.rpartition(".")
            if not (dot and stem in stems and suffix in ("json", "npz")):
                yield f"{place}/{name}"


def remove(file: Path, /) -> None:
    """Remove a file whose name is this run's, if it is a regular file."""
    try:
        if stat.S_ISREG(file.lstat().st_mode):
            file.unlink()
    except (FileNotFoundError, NotADirectoryError):
        return


def set_aside(folder: Path, file: Path, /) -> Path | None:
    """Move a file of the run `folder` to where it does no harm; its new place, if it was there.

    The name it gets there is one that nothing has: what was moved before stays.
    """
    if not os.path.lexists(file):
        return None
    aside = folder / ASIDE
    aside.mkdir(exist_ok=True)
    name = "-".join(file.relative_to(folder).parts)
    places = (aside / (f"{name}.{number}" if number else name) for number in count())
    place = next(place for place in places if not os.path.lexists(place))
    file.rename(place)
    return place
