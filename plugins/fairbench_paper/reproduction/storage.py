"""Results in JSON and back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from fairbench_paper.reproduction.results import Results

__all__ = ["dumps", "load", "plain"]


def plain(results: Results, /) -> dict[str, Any]:
    """`results` in the types of JSON, numbers to six significant digits."""
    rounded = _rounded(asdict(results))
    assert isinstance(rounded, dict)
    return rounded


def _rounded(value: object) -> object:
    if isinstance(value, float):
        return float(f"{value:.6g}") if abs(value) < float("inf") else None
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(item) for item in value]
    return value


def load(document: Mapping[str, Any], /) -> Results:
    """The results that `plain` wrote.

    Raises
    ------
    pydantic.ValidationError
        Where the document is no such thing.
    """
    from pydantic import TypeAdapter

    return TypeAdapter(Results).validate_python(document)


def dumps(results: Results, /) -> str:
    """`results` as JSON text."""
    return json.dumps(plain(results), ensure_ascii=False, separators=(",", ":")) + "\n"
