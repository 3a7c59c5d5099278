"""Files that a user asks for by name: nothing is replaced that the user did not mean."""

from __future__ import annotations

from pathlib import Path

from fairbench.errors import RunFolderError
from fairbench.store import write_bytes

__all__ = ["write_document"]


def write_document(path: Path, content: bytes, /, *, force: bool) -> None:
    """Write `content` to `path`; a file that holds something else is replaced under `force` only.

    Raises
    ------
    RunFolderError
        Where such a file is there, where it is no regular file, or cannot be written.
    """
    try:
        if not force and path.is_file() and not path.is_symlink() and path.read_bytes() != content:
            raise RunFolderError(
                "there is a file already, and it holds something else",
                where=str(path),
                hint="choose another place with --out, or replace it with --force",
            )
        write_bytes(path, content)
    except OSError as error:
        raise RunFolderError(
            f"the report cannot be written: {error.strerror}",
            where=str(path),
            hint="choose another place with --out",
        ) from error
