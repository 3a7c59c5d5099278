"""No module imports itself through others: imports for type checking and inside functions count."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = (ROOT / "fairbench", *sorted(p.parent for p in ROOT.glob("plugins/*/__init__.py")))


def test_no_module_imports_itself_through_others():
    modules = {name: path for package in PACKAGES for name, path in modules_of(package)}
    assert len(modules) > 250
    graph = {name: imported(path.read_text(), modules) - {name} for name, path in modules.items()}
    assert circle(graph) == []


def test_a_circle_is_found_wherever_an_import_stands():
    texts = {
        "a": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from b import c",
        "b.c": "import d",
        "d": "def late():\n    from a import name",
        "b": "",
        "e": "import a",
    }
    graph = {name: imported(text, texts) for name, text in texts.items()}
    assert graph["a"] == {"b.c"}
    assert sorted(set(circle(graph))) == ["a", "b.c", "d"]
    assert circle({**graph, "d": set()}) == []


@pytest.mark.parametrize(("text", "found"), [("import a.b.c", {"a.b"}), ("import numpy", set())])
def test_a_name_inside_a_module_is_its_module(text, found):
    assert imported(text, {"a": "", "a.b": ""}) == found


def modules_of(package: Path) -> Iterator[tuple[str, Path]]:
    for path in package.rglob("*.py"):
        parts = (package.name, *path.relative_to(package).with_suffix("").parts)
        yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts), path


def imported(text: str, modules: Mapping[str, object]) -> set[str]:
    """Names of those of `modules` that a module with this source imports."""
    found = set()
    for node in ast.walk(ast.parse(text)):
        match node:
            case ast.Import():
                names = [alias.name for alias in node.names]
            case ast.ImportFrom(module=str(module), level=0):
                names = [f"{module}.{alias.name}" for alias in node.names]
            case _:
                continue
        found |= {module for name in names if (module := nearest(name, modules))}
    return found


def nearest(name: str, modules: Mapping[str, object]) -> str:
    while name and name not in modules:
        name = name.rpartition(".")[0]
    return name


def circle(graph: Mapping[str, set[str]]) -> list[str]:
    """The modules of one circle, the first of them twice; empty where there is none."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []
