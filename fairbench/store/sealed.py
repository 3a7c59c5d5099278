"""JSON that carries its own hash: every bit of such a file is what was written, or it is refused.

The hash stands in the first line of the object and covers all that follows, so that the file is
still JSON to everybody else.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

from fairbench.store.atomic import read_bytes, write_bytes

__all__ = ["DamageError", "read_json", "seal", "unseal", "write_json"]

_BEFORE, _AFTER, _DIGITS = b'{\n "sha256": "', b'",\n', 64


class DamageError(ValueError):
    """Bytes on disk that are not those that were written."""


def seal(document: Mapping[str, Any], /) -> bytes:
    """`document` (not empty, without a key ``sha256``) as readable JSON that begins with its hash.

    A lone surrogate, as in the name of a file that is no text, becomes JSON's escape for it.
    """
    text = json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False)
    rest = f"{text[2:]}\n".encode(errors="backslashreplace")
    return _BEFORE + sha256(rest).hexdigest().encode() + _AFTER + rest


def unseal(content: bytes, /) -> dict[str, Any]:
    """The document that `seal` made `content` of.

    Raises
    ------
    DamageError
        Where any bit is another.
    """
    start, end = len(_BEFORE), len(_BEFORE) + _DIGITS
    rest = content[end + len(_AFTER) :]
    if content[:start] != _BEFORE or content[end : end + len(_AFTER)] != _AFTER:
        raise DamageError("it does not begin with its hash")
    if content[start:end] != sha256(rest).hexdigest().encode():
        raise DamageError("its content is not what its hash says")
    found: dict[str, Any] = json.loads(b"{" + rest)
    return found


def write_json(path: Path, document: Mapping[str, Any], /) -> None:
    """Write `document` sealed, atomically."""
    write_bytes(path, seal(document))


def read_json(path: Path, /) -> dict[str, Any] | None:
    """The document in a file that `write_json` wrote; None where there is no such file.

    Raises
    ------
    DamageError
        Where it is not what was written.
    RunFolderError
        Where it cannot be read.
    """
    content = read_bytes(path)
    return None if content is None else unseal(content)
