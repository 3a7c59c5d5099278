"""The manifest: read only where it is what was written, and of a layout that is known."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fairbench.errors import RunFolderError
from fairbench.store.atomic import read_bytes
from fairbench.store.sealed import DamageError, unseal

__all__ = ["FORMAT", "PLAN", "document", "read_manifest"]

FORMAT = 2
"""Version of the folder's layout, in its manifest."""

PLAN = "plan.json"
"""The manifest as it was when the run was begun: what a lost one is rebuilt from."""

_MANIFEST = "manifest.json"
_OWN = ("format", "sha256")


def document(manifest: Mapping[str, Any], /) -> dict[str, Any]:
    """`manifest` as it is stored."""
    return {"format": FORMAT, **{k: v for k, v in manifest.items() if k not in _OWN}}


def read_manifest(folder: Path, /, name: str = _MANIFEST) -> dict[str, Any]:
    """The manifest of a run folder, or its first one where `name` says so.

    Raises
    ------
    RunFolderError
        Where there is none, it is not what was written, it has another layout, or it cannot be
        read.
    """
    file = folder / name
    content = read_bytes(file)
    if content is None:
        raise _absent(folder, file)
    try:
        manifest = unseal(content)
    except DamageError as error:
        if (version := _layout(content)) not in (FORMAT, None):
            raise _other_layout(version, file) from None
        raise RunFolderError(
            f"the manifest cannot be read: {error}",
            where=str(file),
            hint="rebuild it from the chunks with `fairbench verify RUN --repair`",
        ) from error
    if (version := manifest.get("format")) != FORMAT:
        raise _other_layout(version, file)
    return manifest


def _absent(folder: Path, file: Path) -> RunFolderError:
    lost = file.name == _MANIFEST and (folder / PLAN).exists()
    return RunFolderError(
        f"{folder} has lost its manifest" if lost else f"{folder} is no run folder",
        where=f"{file} does not exist",
        hint="rebuild it from the chunks with `fairbench verify RUN --repair`"
        if lost
        else "name a folder that `fairbench run` wrote",
    )


def _layout(content: bytes) -> object:
    """Return the layout that a manifest without a hash names, as those of layout 1 do."""
    if content.lstrip().startswith(b'{\n "sha256"'):
        return None
    try:
        found = json.loads(content)
    except (ValueError, RecursionError):
        return None
    version = found.get("format") if isinstance(found, dict) else None
    return version if isinstance(version, int) else None


def _other_layout(version: object, file: Path) -> RunFolderError:
    return RunFolderError(
        f"this run folder has layout {version!r:.60}; this fairbench reads layout {FORMAT}",
        where=str(file),
        hint="read it with the version named in its manifest, or train it anew elsewhere",
    )
