"""TOML files, and the line on which a key of one stands: for messages people can act on."""

from __future__ import annotations

import errno
import stat
import sys
import tomllib
from typing import TYPE_CHECKING, Any

from fairbench.errors import StudyError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

__all__ = ["line_of", "load", "parsed"]

MOST_BYTES = 4 << 20
"""Largest file that is read: some ten thousand times a long study."""

MOST_PARSED = 50 << 20
"""Characters parsed in search of a line, after which the best answer so far is given."""

MOST_DIGITS = sys.get_int_max_str_digits()


def load(path: Path, /) -> dict[str, object]:
    """The document in `path`.

    Raises
    ------
    StudyError
        When the file cannot be read, is not UTF-8, or is not TOML (the message has the line).
    """
    try:
        return parsed(_text(path))
    except OSError as error:
        raise StudyError(
            f"cannot read {path.name}: {error.strerror}",
            where=str(path),
            hint="give the path of a TOML file that you may read",
        ) from error
    except UnicodeDecodeError as error:
        raise StudyError(
            f"{path.name} is not UTF-8 text",
            where=f"{path}, byte {error.start + 1}",
            hint="save the file as UTF-8",
        ) from error
    except ValueError as error:
        raise StudyError(
            f"{path.name} is not valid TOML: {error}",
            where=str(path),
            hint="correct that line; https://toml.io shows the syntax",
        ) from error


def _text(path: Path) -> str:
    state = path.stat()
    if not stat.S_ISREG(state.st_mode):
        raise OSError(errno.EINVAL, "it is no regular file")
    if state.st_size > MOST_BYTES:
        raise OSError(errno.EFBIG, f"it has more than {MOST_BYTES >> 20} MiB")
    return path.read_text(encoding="utf-8-sig")


def parsed(text: str, /) -> dict[str, Any]:
    """The TOML document `text`.

    Raises
    ------
    ValueError
        Where it is none, or holds a number or a nesting beyond what can be read.
    """
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    except tomllib.TOMLDecodeError:
        raise
    except ValueError:  # Python's own limit on digits
        raise ValueError(f"it holds a number of more than {MOST_DIGITS} digits") from None


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
    without, within, room = 0, len(lines), MOST_PARSED
    while within - without > 1 and room > 0:
        middle = (without + within) // 2
        # Most prefixes end a statement; one that does not is passed over for its neighbour.
        for count in (*range(middle, without, -1), *range(middle + 1, within)):
            prefix = "\n".join(lines[:count])
            room -= len(prefix)
            try:
                found = _depth(tomllib.loads(prefix), key_path)
            except tomllib.TOMLDecodeError:
                if room <= 0:
                    break
                continue
            without, within = (without, count) if found >= depth else (count, within)
            break
        else:
            break  # all lines between are those of one statement
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
