"""Fixtures for tests of every area."""

from __future__ import annotations

import importlib
import os
import sys
from textwrap import dedent
from typing import TYPE_CHECKING

import pytest

from fairbench.plugins import registry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    Install = Callable[..., Path]

# Before anything loads torch or BLAS, here and in subprocesses: tests share the cores.
os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Put a stranger's distribution on the path, as pip would; gives the folder it is in.

    Called with the distribution's name and entry points (a name to a module's source, which
    is installed under that name, or to None for an entry point without its module).
    """
    folder = tmp_path / "site"
    names: set[str] = set()

    def installed(
        distribution: str, plugins: Mapping[str, str | None], version: str = "1.0"
    ) -> Path:
        info = folder / f"{distribution.replace('-', '_')}-{version}.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n"
        )
        lines = [f"{name} = {name}" for name in plugins]
        (info / "entry_points.txt").write_text("\n".join(["[fairbench]", *lines, ""]))
        for name, source in plugins.items():
            if source is not None:
                (folder / f"{name}.py").write_text(dedent(source))
        names.update(plugins)
        if str(folder) not in sys.path:
            monkeypatch.syspath_prepend(folder)
        importlib.invalidate_caches()
        registry._installed.cache_clear()
        return folder

    registry._installed.cache_clear()
    yield installed
    for name in names:
        sys.modules.pop(name, None)
    registry._installed.cache_clear()
