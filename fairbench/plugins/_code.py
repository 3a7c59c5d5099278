"""The code that a component is made of: its whole distribution, and what that imports besides.

A wheel is the files of its RECORD. An editable install, a distribution without a RECORD and a
plugin that is not installed are the packages and single modules that entry points and targets
name. To these comes what they import, directly or not, from folders that are no site-packages:
another editable install, or a helper on the path. Distributions that are required count by their
versions, and by their files where they offer plugins themselves or are small.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import TypeVar

from fairbench.plugins._files import Files, digest_of, edited, folder_files, skipped
from fairbench.plugins._imports import VIEW, imported, top_of
from fairbench.plugins._names import OWN, normalised
from fairbench.plugins.hookspecs import PROJECT

__all__ = ["Code", "analysis_code", "code_of", "code_of_class", "core_code"]

T = TypeVar("T")

ROOT = Path(__file__).parents[1]

SMALL = 4 * 2**20
"""Bytes of a distribution that is required up to which it is hashed as well."""

VERSIONED = frozenset({"torch", "numpy", "pandas", "scikit-learn", "scipy"})
"""Distributions whose versions stand in every manifest."""


@dataclass(frozen=True, slots=True)
class Code:
    """Code that takes part in a run.

    Attributes
    ----------
    name
        A distribution, or a package of the distribution that fairbench itself is.
    sha256
        Digest of its files; empty where none could be found.
    requires
        Versions of the distributions that it requires, directly or not.
    edited
        Whether its files were changed since this process began, which may have loaded others.
    """

    name: str
    version: str
    sha256: str
    requires: Mapping[str, str] = field(default_factory=dict)
    edited: bool = field(default=False, compare=False)

    @classmethod
    def of(
        cls, name: str, version: str, files: Files, requires: Mapping[str, str] | None = None, /
    ) -> Code:
        """The code in `files`."""
        return cls(name, version, digest_of(files), requires or {}, edited(files))


def core_code() -> Code:
    """The part of `fairbench` that can change predictions: everything but `VIEW`."""
    left_out = [ROOT / part for part in VIEW]
    return Code.of(PROJECT, _version(OWN), _named(folder_files(ROOT, left_out)))


def analysis_code() -> Code:
    """The part of `fairbench` that makes tables of predictions."""
    return Code.of(f"{PROJECT}.analyze", _version(OWN), _named(folder_files(ROOT / "analyze")))


def code_of(distribution: str, target: str, others: Iterable[str] = (), /) -> Code:
    """The code of a component of `distribution` whose target lies in the module `target`.

    Parameters
    ----------
    others
        Modules that its target was made in, those of its base classes among them.
    """
    if normalised(distribution) == OWN:
        if top_of(target) == PROJECT:
            return core_code()
        return Code.of(top_of(target), _version(OWN), imported([target], {}, None))
    return Code.of(
        normalised(distribution),
        _version(distribution),
        _whole(distribution, [target, *others]),
        _required(distribution),
    )


def code_of_class(made: type, /) -> Code:
    """The code of a class that came without a component, under the name of its package."""
    modules = [kind.__module__ for kind in made.__mro__]
    top = top_of(modules[0])
    if top == PROJECT:
        return core_code()
    return code_of(top, modules[0], modules)


def _named(paths: Iterable[Path]) -> Files:
    return {path.relative_to(ROOT.parent).as_posix(): path for path in paths}


def _whole(distribution: str, modules: Iterable[str]) -> Files:
    """Every file of a distribution, and what it imports from elsewhere."""
    found = _distribution(distribution)
    listed = _recorded(found)
    # Who does not say what is his own may have helpers beside him.
    home = None if found is None or _files(found) else Path(str(found.locate_file("")))
    return listed | imported([*modules, *_own_modules(found)], listed, home)


def _distribution(name: str) -> metadata.Distribution | None:
    try:
        return metadata.distribution(name)
    except Exception:  # none of this name, or one whose metadata cannot be read
        return None


def _version(name: str) -> str:
    found = _distribution(name)
    return "" if found is None else _read(lambda: str(found.version or ""), "")


def _recorded(found: metadata.Distribution | None) -> Files:
    """The files of its RECORD but for metadata, scripts, and what makes it editable."""
    return {
        file.as_posix(): Path(str(file.locate()))
        for file in _files(found)
        if not any(part == ".." or skipped(part) for part in file.parts)
        and not file.is_absolute()
        and not file.name.startswith("__editable__")
        and file.suffix != ".pth"
    }


def _own_modules(found: metadata.Distribution | None) -> list[str]:
    """Modules of its entry points, and packages that it says are its own."""
    if found is None:
        return []
    listed = _read(lambda: found.read_text("top_level.txt") or "", "")
    return sorted({*listed.split(), *(entry.module for entry in _points(found))})


def _read(read: Callable[[], T], otherwise: T) -> T:
    """Return what metadata say; a stranger's may hold anything, and then they say nothing."""
    try:
        return read()
    except Exception:
        return otherwise


def _files(found: metadata.Distribution | None) -> list[metadata.PackagePath]:
    return _read(lambda: list((found.files if found is not None else None) or ()), [])


def _points(found: metadata.Distribution) -> list[metadata.EntryPoint]:
    return _read(lambda: [entry for entry in found.entry_points if entry.group == PROJECT], [])


def _required(distribution: str) -> dict[str, str]:
    """Versions of what is required, directly or not; with a digest where that is due or cheap."""
    versions: dict[str, str] = {}
    waiting = [normalised(distribution)]
    while waiting:
        found = _distribution(waiting.pop())
        for requirement in _requirements(found):
            word = re.match(r"[\w.-]+", requirement)
            needed = normalised(word.group()) if word is not None else ""
            there = _distribution(needed) if needed else None
            known = {OWN, normalised(distribution), *versions}
            if there is None or needed in known or re.search(r";.*\bextra\b", requirement):
                continue
            versions[needed] = _version(needed)
            if _points(there) or _is_small(there):
                versions[needed] += f" {digest_of(_whole(needed, ()))}".rstrip()
            waiting.append(needed)
    return dict(sorted(versions.items()))


def _requirements(found: metadata.Distribution | None) -> list[str]:
    return _read(lambda: list((found.requires if found is not None else None) or ()), [])


def _is_small(found: metadata.Distribution) -> bool:
    """Say whether reading it whole costs next to nothing, by the sizes in its RECORD."""
    if normalised(str(found.name)) in VERSIONED:
        return False
    return sum(file.size or 0 for file in _files(found)) <= SMALL
