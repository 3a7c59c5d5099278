"""Whether a run folder may be continued by a study: only by the one that it holds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fairbench.errors import RunFolderError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fairbench.store import RunFolder

__all__ = ["check_same"]


def check_same(folder: RunFolder, description: Mapping[str, Any], /) -> None:
    """Refuse a folder that holds something else than the study of this `description`.

    Raises
    ------
    RunFolderError
        Where it holds another study, the same one begun with other versions, code or data, or
        files but no run.
    """
    if not (folder.path / "manifest.json").exists():
        others = [p for p in folder.path.iterdir() if not p.name.startswith(".")]
        if (folder.path / "plan.json").exists():
            folder.read_manifest()  # which says that it is lost, and how to rebuild it
        if others:
            raise RunFolderError(
                f"the folder is not empty and holds no run: {others[0].name!r}",
                where=str(folder.path),
                hint="choose a new or empty folder with --out",
            )
        return
    before = folder.read_manifest()
    if before["id"] == description["id"]:
        return
    if differing := _differing(_decisive(before["study"]), _decisive(description["study"])):
        what = f"holds a different study (differs in {differing})"
    elif before["versions"] != description["versions"]:
        named = _differing(before["versions"], description["versions"])
        what = f"was begun with other versions of fairbench or its packages ({named})"
    else:
        named = _differing(
            before.get("code", {}).get("trained", {}), description["code"]["trained"]
        )
        what = f"was begun with other data or other plugin code ({named or 'data'})"
    raise RunFolderError(
        f"the run folder {what}",
        where=str(folder.path),
        hint="choose another --out; nothing in this folder was changed",
    )


def _decisive(study: Mapping[str, Any]) -> dict[str, Any]:
    """What of a study decides its predictions, methods and datasets in no order."""
    shown = ("name", "metrics", "error", "disparity")
    return {
        key: sorted(value, key=repr) if key in ("methods", "datasets") else value
        for key, value in study.items()
        if key not in shown
    }


def _differing(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """The names under which two mappings hold different things."""
    names = dict.fromkeys((*now, *before))
    return ", ".join(name for name in names if before.get(name) != now.get(name))
