"""Studies in TOML files, with the user's flags on top."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from fairbench.data import is_path
from fairbench.study.study import Study, validated
from fairbench.toml import line_of, load

__all__ = ["read_document", "read_study"]

Origins = Mapping[tuple[str | int, ...], str]


def read_study(
    path: Path | None,
    flags: Mapping[str, Any],
    /,
    origins: Origins = MappingProxyType({}),
) -> Study:
    """The study of a TOML file (or of none), overridden by `flags`.

    Parameters
    ----------
    path
        A file whose keys are the fields of `Study`.
    flags
        Keys that replace the file's; those of `training` are taken one by one.
    origins
        The flag behind a path of keys, for messages.

    Raises
    ------
    StudyError
        With the file and line, or the flag, of what cannot be understood.
    """
    document: Mapping[str, Any] = read_document(path) if path is not None else {}

    def locate(keys: Sequence[str | int]) -> str:
        for length in range(len(keys), 0, -1):
            if flag := origins.get(tuple(keys[:length])):
                return flag
        if path is None:
            return "fairbench run"
        text = path.read_text(encoding="utf-8-sig")
        return f"{path}, line {line_of(text, list(keys))}"

    return validated(_merged(document, flags), locate)


def read_document(path: Path, /) -> dict[str, Any]:
    """The keys of a study's file; files it names as datasets are those of its own folder.

    Raises
    ------
    StudyError
        When it is no TOML file that can be read.
    """
    document = load(path)
    datasets = document.get("datasets")
    if not isinstance(datasets, list):
        return document

    def placed(name: object) -> object:
        if not isinstance(name, str) or not is_path(name) or "://" in name:
            return name
        return str(path.parent / Path(name).expanduser())

    def entry(one: object) -> object:
        if isinstance(one, Mapping) and "name" in one:
            return {**one, "name": placed(one["name"])}
        return placed(one)

    return {**document, "datasets": [entry(one) for one in datasets]}


def _merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    training = [side.get("training", {}) for side in (below, above)]
    merged = {**below, **above}
    if all(isinstance(one, Mapping) for one in training) and any(training):
        merged["training"] = {**training[0], **training[1]}
    return merged
