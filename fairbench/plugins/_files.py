"""Digests of source files and folders: whole, in one order, and fast when asked again."""

from __future__ import annotations

import ast
import os
import time
from collections.abc import Callable, Iterable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import Generic, TypeVar

__all__ = ["Files", "digest_of", "edited", "folder_files", "imports_of", "skipped"]

T = TypeVar("T")

Files = dict[str, Path]
"""Files by the name under which they count, which says nothing of where they are installed."""

_CACHES = {".pyc", ".pyo"}

_STARTED = time.time_ns()
"""When this process began to load code, or soon after."""


def digest_of(files: Files, /) -> str:
    """SHA-256 of names and contents; empty where there is no file.

    A file that cannot be read counts by its name alone: it is no reason to stop.
    """
    if not files:
        return ""
    whole = sha256()
    for name in sorted(files):
        content = _contents.of(files[name])
        whole.update(f"{name}\0{content}\n".encode(errors="surrogateescape"))
    return whole.hexdigest()


def edited(files: Files, /) -> bool:
    """Whether one of `files` may be another than what this process has loaded."""
    return any(_changed(path) >= _STARTED for path in files.values())


def _changed(path: Path) -> int:
    try:
        status = path.stat()
    except OSError:
        return 0
    return max(status.st_mtime_ns, status.st_ctime_ns)


def folder_files(root: Path, /, leave_out: Iterable[Path] = ()) -> Iterator[Path]:
    """Every file below `root` that can be code or what code reads, in one fixed order.

    Hidden files, caches, tests by pytest's names (``test_*.py``, ``conftest.py``), virtual
    environments and run folders are none of it.
    """
    left_out, seen = {*leave_out}, set()
    for place, folders, names in os.walk(root, followlinks=True):
        folder = Path(place)
        real = os.path.realpath(place)
        if real in seen or "pyvenv.cfg" in names or {"manifest.json", ".lock"} <= {*names}:
            folders.clear()  # a link in a circle, an environment, or a run
            continue
        seen.add(real)
        folders[:] = sorted(f for f in folders if not skipped(f) and folder / f not in left_out)
        for name in sorted(names):
            if not skipped(name) and folder / name not in left_out:
                yield folder / name


def skipped(name: str, /) -> bool:
    """Say whether a file or folder of this name decides no number."""
    return (
        name.startswith(".")
        or name in ("__pycache__", "conftest.py", "node_modules")
        or name.endswith((".egg-info", ".dist-info", "~"))
        or (name.startswith("test_") and name.endswith(".py"))
        or Path(name).suffix in _CACHES
    )


class _Kept(Generic[T]):
    """Values computed from files, once for each state of a file; `missing` for unreadable ones."""

    def __init__(self, compute: Callable[[bytes], T], missing: T) -> None:
        self._compute, self._missing = compute, missing
        self._known: dict[Path, tuple[tuple[int, ...], T]] = {}

    def of(self, path: Path) -> T:
        try:
            status = path.stat()
            state = (status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino)
            if path not in self._known or self._known[path][0] != state:
                self._known[path] = (state, self._compute(path.read_bytes()))
            return self._known[path][1]
        except (OSError, ValueError, SyntaxError, RecursionError):
            return self._missing


def imports_of(path: Path, /) -> frozenset[str]:
    """Dotted names of modules that a Python file may import from outside its package.

    Those of import statements and of ``import_module("…")``, and the modules that descriptions
    of components name as their targets.
    """
    return _imports.of(path)


def _found(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                yield from (alias.name for alias in names)
            case ast.ImportFrom(module=str(module), level=0, names=names):
                yield from (f"{module}.{alias.name}" for alias in names)
            case ast.Call(
                func=ast.Name(id=called) | ast.Attribute(attr=called),
                args=[ast.Constant(value=str(named)), *_],
            ) if called in ("import_module", "__import__"):
                yield named
            case ast.keyword(arg="target", value=ast.Constant(value=str(target))):
                yield target.partition(":")[0]


_contents = _Kept(lambda content: sha256(content).hexdigest(), "unreadable")
_imports: _Kept[frozenset[str]] = _Kept(
    lambda content: frozenset(_found(ast.parse(content))), frozenset()
)
