"""Turn the flags of `fairbench run` into the keys of a study."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from fairbench.cli._table import FLAGS, asked
from fairbench.errors import StudyError
from fairbench.plugins import WEIGHTED
from fairbench.study import parse_grid
from fairbench.toml import parsed

__all__ = ["Given", "executor_options", "study_keys"]

_TRAINING = ("epochs", "batch_size", "lr")
Sweeps = Callable[[str, Mapping[str, Any]], bool]
_PLAIN = ("name", "seeds", "splits", "entropy", "error", "disparity", "baseline")


@dataclass(frozen=True, slots=True)
class Given:
    """The keys of a study that flags give, and the flag behind each path of keys."""

    keys: dict[str, Any] = field(default_factory=dict)
    origins: dict[tuple[str | int, ...], str] = field(default_factory=dict)

    def put(self, path: tuple[str | int, ...], value: Any, flag: str, /) -> None:
        """Set the key at `path`, making the tables above it."""
        place: Any = self.keys
        for part in path[:-1]:
            place = place.setdefault(part, {}) if isinstance(place, dict) else place[part]
            if not isinstance(place, dict | list):
                raise StudyError(f"{part!r} is a value and has no options of its own", where=flag)
        place[path[-1]] = value
        self.origins[path] = flag


def study_keys(flags: Mapping[str, Any], /, filed: Mapping[str, Any], sweeps: Sweeps) -> Given:
    """Return what `flags` say of a study; what was not given is left out.

    `filed` holds the keys that a study file gave, so that flags can edit its methods, its
    datasets and its protocol; `sweeps` says whether the method of a name, with these options,
    has a trade-off.
    """
    given = Given()
    for name in _PLAIN:
        if flags.get(name) is not None:
            given.put((name,), flags[name], f"--{name}")
    if flags.get("no_baseline"):
        given.put(("baseline",), None, "--no-baseline")
    for name in _TRAINING:
        if flags.get(name) is not None:
            given.put(("training", name), flags[name], f"--{name.replace('_', '-')}")
    if flags.get("protocol"):
        given.put(("protocol",), {"name": flags["protocol"]}, "--protocol")
    if flags.get("metrics"):
        given.put(("metrics",), flags["metrics"], "--metric")
    _put_datasets(given, flags, filed)
    _put_methods(given, flags, filed, sweeps)
    return given


def executor_options(assigned: Sequence[str], /) -> tuple[dict[str, Any], list[str]]:
    """Options of the executor among what ``--set`` assigned, and the rest, which is the study's."""
    options: dict[str, Any] = {}
    rest = []
    for text in assigned:
        if not text.startswith("executor."):
            rest.append(text)
            continue
        (_, *names), value = _assignment(text)
        options[".".join(names)] = value
    return options, rest


def _put_datasets(given: Given, flags: Mapping[str, Any], filed: Mapping[str, Any]) -> None:
    edits = asked(flags)
    named = flags.get("datasets") or ()
    if not named and not edits:
        return
    _put_tables(given, "datasets", named, filed, "--dataset")
    for index in range(len(given.keys["datasets"])):
        for name, value in edits.items():
            given.put(("datasets", index, name), value, FLAGS[name])


def _put_methods(
    given: Given,
    flags: Mapping[str, Any],
    filed: Mapping[str, Any],
    sweeps: Sweeps,
) -> None:
    named, grids = flags.get("methods") or (), flags.get("tradeoff") or ()
    assigned = [_assignment(text) for text in flags.get("assign") or ()]
    of_methods = any(path[0] not in ("primary", "protocol", "training") for path, _ in assigned)
    if named or grids or of_methods:
        _put_tables(given, "methods", named, filed, "--method")
    for path, value in assigned:
        _put_option(given, path, value, flags, filed)
    for text in grids:
        _put_grid(given, text, sweeps)


def _put_tables(
    given: Given, kind: str, named: Sequence[str], filed: Mapping[str, Any], flag: str
) -> None:
    """The tables that `flag` names, or copies of the file's, to be edited by other flags."""
    if named:
        given.put((kind,), [{"name": name} for name in named], flag)
        return
    tables = filed.get(kind, [])
    if not isinstance(tables, list) or not all(isinstance(one, str | dict) for one in tables):
        raise StudyError(
            f"{kind} = {tables!r} is no list of names or tables",
            where="--config",
            hint=f'write {kind} = ["NAME", …], or [[{kind}]] with name = "NAME"',
        )
    given.keys[kind] = [_table(one) for one in tables]


def _table(entry: Any) -> dict[str, Any]:
    if isinstance(entry, str):
        return {"name": entry}
    return {k: dict(v) if isinstance(v, dict) else v for k, v in dict(entry).items()}


def _put_grid(given: Given, text: str, sweeps: Sweeps) -> None:
    """Give ``METHOD=GRID`` to its method, and a bare ``GRID`` to the only one that sweeps."""
    flag = f"--tradeoff {text}"
    name, named, grid = text.rpartition("=")
    methods = given.keys["methods"]
    wanted = _called(methods, name) if named else list(range(len(methods)))
    if not wanted:
        raise _no_method(name, methods, flag)
    if len(wanted) > 1:
        wanted = [at for at in wanted if _sweeps(methods[at], sweeps)] or wanted
    if len(wanted) > 1:
        raise StudyError(
            "a grid without a name needs exactly one method with a trade-off",
            where=flag,
            hint=f"write {_title(methods[wanted[0]])}={grid}",
        )
    given.put(("methods", wanted[0], "tradeoff"), list(parse_grid(grid, where=flag)), flag)


def _sweeps(method: Mapping[str, Any], sweeps: Sweeps) -> bool:
    options = method.get("options")
    return sweeps(str(method.get("name", "")), options if isinstance(options, dict) else {})


def _assignment(text: str) -> tuple[list[str], Any]:
    """``a.b=value`` as a path and a value, read as TOML where it is, else as text."""
    path, given, value = text.partition("=")
    parts = path.split(".")
    if not given or len(parts) < 2 or not all(parts):
        raise StudyError(
            f"{text!r} assigns no option",
            where=f"--set {text}",
            hint="write NAME.OPTION=VALUE, protocol.OPTION=VALUE, training.FIELD=VALUE or "
            "executor.OPTION=VALUE",
        )
    try:
        return parts, parsed(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        return parts, value
    except ValueError as error:
        raise StudyError(
            f"the value cannot be read: {error}",
            where=f"--set {path}",
            hint="give a plain value",
        ) from error


def _put_option(
    given: Given,
    path: list[str],
    value: Any,
    flags: Mapping[str, Any],
    filed: Mapping[str, Any],
) -> None:
    first, *rest = path
    flag = f"--set {'.'.join(path)}"
    if first == "training":
        given.put(("training", *rest), value, flag)
        return
    if first == "primary":
        if "primary" not in given.keys:
            given.keys["primary"] = _table(filed.get("primary", {}))
        given.put(("primary", *rest), value, flag)
        return
    if first == "protocol":
        if "protocol" not in given.keys:
            given.keys["protocol"] = _table(filed.get("protocol", {}))
        given.put(("protocol", "options", *rest), value, flag)
        return
    if "datasets" not in given.keys:
        _put_tables(given, "datasets", flags.get("datasets") or (), filed, "--dataset")
    for kind in ("methods", "datasets"):
        if wanted := _called(given.keys[kind], first):
            for index in wanted:
                given.put((kind, index, "options", *rest), value, flag)
            return
    known = [_title(one) for kind in ("methods", "datasets") for one in given.keys[kind]]
    raise StudyError(
        f"no method or dataset {first!r} is named in this study",
        where=flag,
        hint=f"add it with --method or --dataset, or use one of those named: {', '.join(known)}",
    )


def _called(tables: Sequence[Mapping[str, Any]], name: str) -> list[int]:
    """Return the indices of the tables labelled `name`, or else of all that have this name."""
    labelled = [i for i, table in enumerate(tables) if _label(table) == name]
    return labelled or [i for i, table in enumerate(tables) if table.get("name") == name]


def _title(table: Mapping[str, Any]) -> str:
    return str(_label(table) or table.get("name"))


def _label(table: Mapping[str, Any]) -> Any:
    """Return the label of a table; one of `weighted` that has none is labelled by its weighting."""
    options = table.get("options")
    if table.get("name") in ("weighted", WEIGHTED) and isinstance(options, Mapping):
        return table.get("label") or options.get("weighting")
    return table.get("label")


def _no_method(name: str, methods: Sequence[Mapping[str, Any]], flag: str) -> StudyError:
    known = ", ".join(map(_title, methods)) or "none"
    return StudyError(
        f"no method {name!r} is named in this study",
        where=flag,
        hint=f"add --method {name}, or use one of those named: {known}",
    )
