"""Find the files of the modules that some code imports, without importing them."""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterable, Iterator
from functools import cache
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

from fairbench.plugins._files import Files, folder_files, imports_of
from fairbench.plugins._names import OWN
from fairbench.plugins.hookspecs import PROJECT

__all__ = ["VIEW", "imported", "top_of"]

VIEW = ("analyze", "cli", "gate", "plugins/conformance", "report", "reproduction.py")
"""Parts of `fairbench` that decide what is shown of predictions, not the predictions."""

VIEW_OF_PLUGINS = {"fairbench_paper": ("reproduction",)}
"""The like in packages that ship with it."""

NUMERICAL = frozenset({"torch", "numpy", "pandas", "sklearn", "scipy"})
"""Modules that count by their versions, which stand in every manifest."""


def top_of(module: str, /) -> str:
    """The first part of a dotted name."""
    return module.partition(".")[0]


def imported(modules: Iterable[str], known: Files, home: Path | None, /) -> Files:
    """The files of `modules`, whole packages, and those of what is imported, directly or not.

    `modules` count wherever they lie. What they and the files of `known` import counts where it
    lies in no site-packages, or in the folder `home`.
    """
    files: Files = {}
    seen = {path.resolve() for path in known.values()}
    waiting = [(module, True) for module in modules]
    waiting += [(name, False) for path in known.values() for name in _imports(path)]
    asked: set[object] = set()
    while waiting:
        if (asking := waiting.pop()) in asked:
            continue
        asked.add(asking)
        module, named = asking
        for place, root in _roots(module):
            if not (named or top_of(module) in _own() or _counts(place, home)):
                continue
            whole = root.resolve()
            paths = [] if whole in asked else [*_files(whole, VIEW_OF_PLUGINS.get(whole.name, ()))]
            asked.add(whole)
            if named:  # its own file counts even where it is called like a test
                paths += _file_of(whole, root.relative_to(place), module)
            for path in paths:
                if path not in seen:
                    seen.add(path)
                    inner = root.relative_to(place) / path.relative_to(whole)
                    files[inner.as_posix()] = path
                    waiting += [(name, False) for name in _imports(path)]
    return files


def _file_of(whole: Path, inner: Path, module: str) -> Iterator[Path]:
    """The file of a module below a root that lies at `inner` on the path."""
    parts = module.split(".")[len(inner.parts) :]
    if whole.is_dir() and parts:
        file = whole.joinpath(*parts).with_suffix(".py")
        if file.is_file():
            yield file


def _files(root: Path, left_out: Collection[str]) -> Iterable[Path]:
    return folder_files(root, [root / part for part in left_out]) if root.is_dir() else (root,)


def _imports(path: Path) -> frozenset[str]:
    return imports_of(path) if path.suffix == ".py" else frozenset()


@cache
def _own() -> frozenset[str]:
    """Packages of plugins that ship with fairbench, and fairbench."""
    try:
        points = metadata.distribution(OWN).entry_points
    except metadata.PackageNotFoundError:
        return frozenset()
    return frozenset(top_of(entry.module) for entry in points if entry.group == PROJECT)


def _counts(folder: Path, home: Path | None) -> bool:
    """Say whether what lies on the path in `folder` was put there by no installer."""
    if home is not None and folder.resolve() == home.resolve():
        return True
    return next(folder.glob("*.dist-info"), None) is None


def _roots(module: str) -> Iterator[tuple[Path, Path]]:
    """The whole package or file that a dotted name belongs to, after its folder on the path."""
    top, *parts = module.split(".")
    if top in sys.stdlib_module_names or top in NUMERICAL:
        return
    if top == PROJECT:
        yield from _viewed(parts)
        return
    try:
        spec = find_spec(top)
    except Exception:  # ``__main__`` may have none, and finders are of many hands
        return
    if spec is None:
        return
    if spec.has_location and spec.origin is not None:
        file = _on_disk(Path(spec.origin))
        root = file.parent if file.stem == "__init__" else file
        yield root.parent, root
        return
    for place in map(Path, spec.submodule_search_locations or ()):
        yield from ((place.parent, root) for root in _of_namespace(place, parts))


def _viewed(parts: list[str]) -> Iterator[tuple[Path, Path]]:
    """The part of fairbench's own that is no part of every run, where a name belongs to one."""
    root = Path(__file__).parents[1]
    for part in VIEW:
        names = part.removesuffix(".py").split("/")
        if parts[: len(names)] == names:
            yield root.parent, root / part


def _of_namespace(place: Path, parts: list[str]) -> Iterator[Path]:
    """Return what `parts` lead to below a package that several distributions may share."""
    for part in parts:
        inner = place / part
        if (inner / "__init__.py").is_file():
            yield inner
            return
        if not inner.is_dir():
            if any(place.glob(f"{part}.*")):
                yield place  # with its neighbours, which it can import by a dot
            return
        place = inner


def _on_disk(path: Path) -> Path:
    """`path`, or the archive that it lies in."""
    return next((p for p in (path, *path.parents) if p.exists()), path)
