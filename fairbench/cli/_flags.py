"""From the flags of `fairbench run` to the keys of a study."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from typing import Any

from fairbench.errors import StudyError

__all__ = ["study_keys"]

_DATASET = ("targets", "protected", "features", "cluster", "bins")
_TRAINING = ("epochs", "batch_size", "lr")
_PLAIN = ("name", "seeds", "splits", "entropy", "error", "disparity", "baseline")


def study_keys(flags: Mapping[str, Any], /, filed: Mapping[str, Any]) -> dict[str, Any]:
    """The keys of a study that `flags` give; what was not given is left out.

    `filed` holds the keys that a study file gave, so that flags can edit its methods and
    datasets.
    """
    keys = {name: flags[name] for name in _PLAIN if flags.get(name) is not None}
    if flags.get("no_baseline"):
        keys["baseline"] = None
    if training := {name: flags[name] for name in _TRAINING if flags.get(name) is not None}:
        keys["training"] = training
    if flags.get("protocol"):
        keys["protocol"] = {"name": flags["protocol"]}
    if flags.get("metrics"):
        keys["metrics"] = flags["metrics"]
    edits = {name: flags[name] for name in _DATASET if flags.get(name)}
    datasets = [{"name": name} for name in flags.get("datasets") or ()]
    if datasets or edits:
        keys["datasets"] = [
            {**_table(one), **edits} for one in datasets or filed.get("datasets", ())
        ]
    methods = [{"name": name} for name in flags.get("methods") or ()]
    assigned = list(map(_assignment, flags.get("assign") or ()))
    grids = list(flags.get("tradeoff") or ())
    if methods or grids or any(path[0] not in ("protocol", "training") for path, _ in assigned):
        tables = [_table(one) for one in methods or filed.get("methods", ())]
        keys["methods"] = _with_grids(tables, grids)
    for path, value in assigned:
        _assign(keys, path, value)
    return keys


def _table(entry: Any) -> dict[str, Any]:
    return {"name": entry} if isinstance(entry, str) else dict(entry)


def _with_grids(methods: list[dict[str, Any]], grids: Iterable[str]) -> list[dict[str, Any]]:
    """Give each ``METHOD=GRID`` to its method, and a bare ``GRID`` to the only one there is."""
    for grid in grids:
        name, named, values = grid.rpartition("=")
        wanted = [m for m in methods if not named or name in (m["name"], m.get("label"))]
        if not wanted:
            raise StudyError(
                f"no method {name!r} to give this grid to",
                where=f"--tradeoff {grid}",
                mend=f"name one of {', '.join(m['name'] for m in methods)}",
            )
        if len(wanted) > 1:
            raise StudyError(
                "a grid without a name needs exactly one method",
                where=f"--tradeoff {grid}",
                mend=f"write {wanted[0]['name']}={grid}",
            )
        wanted[0]["tradeoff"] = values
    return methods


def _assignment(text: str) -> tuple[list[str], Any]:
    """``a.b=value`` as a path and a value, read as TOML where it is, else as text."""
    path, given, value = text.partition("=")
    parts = path.split(".")
    if not given or len(parts) < 2 or not all(parts):
        raise StudyError(
            f"{text!r} assigns no option",
            where="--set",
            mend="write METHOD.OPTION=VALUE, protocol.OPTION=VALUE or training.FIELD=VALUE",
        )
    try:
        return parts, tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        return parts, value


def _assign(keys: dict[str, Any], path: list[str], value: Any) -> None:
    first, *rest = path
    if first == "training":
        place = keys.setdefault("training", {})
    elif first == "protocol":
        place = keys.setdefault("protocol", {"name": "honest"}).setdefault("options", {})
    else:
        wanted = [m for m in keys["methods"] if first in (m["name"], m.get("label"))]
        if not wanted:
            raise StudyError(
                f"no method {first!r} to set an option of",
                where=f"--set {'.'.join(path)}",
                mend=f"name one of {', '.join(m['name'] for m in keys['methods'])}",
            )
        place = wanted[0].setdefault("options", {})
    for part in rest[:-1]:
        place = place.setdefault(part, {})
    place[rest[-1]] = value
