"""Every file of a run folder held against its hash, and damage put right as far as can be."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fairbench.errors import RunFolderError
from fairbench.store.chunk import Cost
from fairbench.store.folder import RunFolder, Standing
from fairbench.store.manifest import PLAN, read_manifest
from fairbench.store.pairs import check_arrays
from fairbench.store.places import set_aside
from fairbench.store.sealed import DamageError, read_json, write_json

__all__ = ["Verified", "repair", "verify"]

_MANIFEST = "manifest.json"


@dataclass(frozen=True, slots=True)
class Verified:
    """The findings in a run folder.

    Attributes
    ----------
    standing
        How many chunks are whole, failed and missing; None where there is no manifest that says.
    damaged
        What is wrong, by file (its path from the run folder).
    missing
        Files and chunks that should be there.
    ignored
        Files that are not of this run.
    """

    standing: Standing | None
    damaged: Mapping[str, str]
    missing: tuple[str, ...]
    ignored: tuple[str, ...]

    @property
    def whole(self) -> bool:
        """Say whether nothing is damaged and nothing missing."""
        return not self.damaged and not self.missing


def verify(path: Path, /) -> Verified:
    """Read every file of the run folder at `path` and hold it against its hash.

    Raises
    ------
    RunFolderError
        Where this is no run folder, it has another layout, or a file cannot be read.
    """
    damaged, missing = _manifests(path)
    if {_MANIFEST} & {*damaged, *missing}:
        return Verified(None, damaged, missing, ())
    folder = RunFolder(path)
    whole, failed = set(), set()
    keys = folder.keys()
    for key in keys:
        damaged |= (found := _damage_of_chunk(folder, key))
        if not found and folder.chunk(key) is not None:
            whole.add(key)
    for key in keys:
        name = f"failures/{key}.json"
        try:
            if folder.failure(key) is not None and key not in whole:
                failed.add(key)
        except DamageError as error:
            damaged[name] = str(error)
    for name in folder.row_files():
        damaged |= _damage_of_rows(folder, name)
        missing += () if (path / "rows" / f"{name}.json").exists() else (f"rows/{name}.json",)
    missing += tuple(f"chunks/{key}" for key in keys if key not in whole | failed)
    standing = Standing(len(keys), len(whole), len(failed))
    return Verified(standing, damaged, missing, tuple(folder.strangers()))


def _manifests(path: Path) -> tuple[dict[str, str], tuple[str, ...]]:
    """Damage and absence of the manifest and of its first copy."""
    damaged: dict[str, str] = {}
    missing = []
    for name in (_MANIFEST, PLAN):
        try:
            if read_json(path / name) is None:
                missing.append(name)
        except DamageError as error:
            damaged[name] = str(error)
    if len(missing) == 2:
        read_manifest(path)  # which says that this is no run folder
    if _MANIFEST in damaged:
        _refuse_other_layout(path)
    return damaged, tuple(missing)


def _refuse_other_layout(path: Path) -> None:
    """Raise where the manifest is not damaged but of an older layout, which had no hashes."""
    try:
        read_manifest(path)
    except RunFolderError as error:
        if "has layout" in error.what:
            raise


def _damage_of_chunk(folder: RunFolder, key: str) -> dict[str, str]:
    name = f"chunks/{key}.json"
    try:
        if chunk := folder.chunk(key):
            name = f"chunks/{key}.npz"
            chunk.check()
    except DamageError as error:
        return {name: str(error)}
    return {}


def _damage_of_rows(folder: RunFolder, stem: str) -> dict[str, str]:
    name = f"rows/{stem}.json"
    try:
        if about := folder.about_rows(stem):
            name = f"rows/{stem}.npz"
            check_arrays(folder.path / name, about["arrays"])
    except DamageError as error:
        return {name: str(error)}
    return {}


def repair(path: Path, /) -> list[str]:
    """Move damage aside and rebuild the manifest from the chunks where it is lost.

    Returns
    -------
    list of str
        What was done, a sentence each. What is missing then is trained by the study's command.

    Raises
    ------
    RunFolderError
        Where nothing tells what the run was, a file cannot be read, or the folder not written.
    """
    return list(_repairs(path))


def _repairs(path: Path) -> Iterator[str]:
    damaged, missing = _manifests(path)
    lost = [name for name in (_MANIFEST, PLAN) if name in damaged or name in missing]
    if len(lost) == 2:
        raise RunFolderError(
            "neither the manifest nor its first copy is whole: nothing tells what this run was",
            where=f"{path / _MANIFEST}, {path / PLAN}",
            hint="restore one of them from a copy, or train the study in another --out",
        )
    for name in damaged:
        yield f"{name} was moved to {_moved(path, name)}"
    if lost == [_MANIFEST]:
        write_json(path / _MANIFEST, read_manifest(path, PLAN))
        write_json(path / _MANIFEST, _with_progress(RunFolder(path)))
        yield "manifest.json was rebuilt from plan.json and the chunks"
    elif lost == [PLAN]:
        write_json(path / PLAN, read_manifest(path))
        yield "plan.json was written anew from the manifest"
    found = verify(path)
    for name in found.damaged:
        pair = [path / name]
        if not name.startswith("failures/"):  # neither half counts without the other
            pair = [Path(path / name).with_suffix(suffix) for suffix in (".npz", ".json")]
        for file in pair:
            if (place := set_aside(path, file)) is not None:
                yield f"{file.relative_to(path)} was moved to {place.relative_to(path)}"


def _moved(path: Path, name: str) -> Path:
    place = set_aside(path, path / name)
    assert place is not None
    return place.relative_to(path)


def _with_progress(folder: RunFolder) -> dict[str, Any]:
    """The first manifest with what the chunks on disk tell of the run's progress."""
    manifest = folder.manifest
    costs: Mapping[str, Cost] = folder.finished()
    seconds = sum(cost.seconds for cost in costs.values())
    sizes = manifest.get("chunks", {})
    note = "the manifest was lost and rebuilt: of its times only those of training are known"
    progress = {
        **manifest.get("progress", {}),
        "trials_done": sum(sizes.get(key, 0) for key in costs),
        "trials_failed": sum(cost.failed for cost in costs.values()),
        "chunks_done": len(costs),
        "chunks_failed": folder.standing().failed,
        "model_steps": sum(cost.model_steps for cost in costs.values()),
        "train_seconds": round(seconds, 3),
        "wall_seconds": round(seconds, 3),
        "trials_per_second": 0.0,
        "model_steps_per_second": 0.0,
    }
    return {**manifest, "progress": progress, "notes": [*manifest.get("notes", []), note]}
