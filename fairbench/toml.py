"""TOML files, and the line on which a key of one stands: for messages people can act on."""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING

from fairbench.errors import StudyError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

__all__ = ["line_of", "load"]


def load(path: Path, /) -> dict[str, object]:
    """The document in `path`.

    Raises
    ------
    StudyError
        When the file cannot be read, is not UTF-8, or is not TOML (the message has the line).
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise StudyError(
            f"cannot read {path.name}: {error.strerror}",
            where=str(path),
            mend="give the path of a TOML file that you may read",
        ) from error
    except UnicodeDecodeError as error:
        raise StudyError(
            f"{path.name} is not UTF-8 text",
            where=f"{path}, byte {error.start + 1}",
            mend="save the file as UTF-8",
        ) from error
    except tomllib.TOMLDecodeError as error:
        raise StudyError(
            f"{path.name} is not valid TOML: {error}",
            where=str(path),
            mend="correct that line; https://toml.io shows the syntax",
        ) from error


def line_of(text: str, key_path: Sequence[str | int], /) -> int:
    """The line, from 1, on which `text` introduces the key at `key_path`.

    The statement that introduces a key starts on the line after the longest run of leading
    lines that parses without that key. Where `text` lacks the whole path, the line of its
    deepest part that exists; 1 where none does.

    Parameters
    ----------
    text
        A valid TOML document.
    key_path
        Keys from the root, and positions (from 0) in arrays.
    """
    depth = _depth(tomllib.loads(text), key_path)
    if depth == 0:
        return 1
    lines = text.replace("\r\n", "\n").split("\n")
    without = 0
    for count in range(1, len(lines) + 1):
        try:
            document = tomllib.loads("\n".join(lines[:count]))
        except tomllib.TOMLDecodeError:
            continue  # in the middle of a statement of several lines
        if _depth(document, key_path) >= depth:
            break
        without = count
    return without + 1


def _depth(document: object, key_path: Sequence[str | int]) -> int:
    """How many leading parts of `key_path` exist in `document`."""
    for depth, part in enumerate(key_path):
        found = (isinstance(document, dict) and part in document) or (
            isinstance(document, list) and isinstance(part, int) and 0 <= part < len(document)
        )
        if not found:
            return depth
        document = document[part]  # type: ignore[index]
    return len(key_path)
