"""Studies in TOML files, with the user's flags on top."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fairbench.study.study import Study, validated
from fairbench.toml import line_of, load

__all__ = ["read_study"]


def read_study(path: Path | None, flags: Mapping[str, Any], /) -> Study:
    """The study of a TOML file (or of none), overridden by `flags`.

    The file's keys are the fields of `Study`. Tables that both sides give are merged.

    Raises
    ------
    StudyError
        With the file and line, or the flag, of what cannot be understood.
    """
    document: dict[str, Any] = dict(load(path)) if path is not None else {}

    def locate(keys: Sequence[str | int]) -> str:
        first = str(keys[0]) if keys else ""
        if path is None or first in flags or first not in document:
            return f"--{first}" if path is None or first in flags else str(path)
        text = path.read_text(encoding="utf-8-sig")
        return f"{path}, line {line_of(text, list(keys))}"

    return validated(_merged(document, flags), locate)


def _merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for key, value in above.items():
        old = merged.get(key)
        both = isinstance(old, Mapping) and isinstance(value, Mapping)
        merged[key] = _merged(old, value) if both else value  # type: ignore[arg-type]
    return merged
