"""The bytes of a user's file: guarded, decompressed, and decoded where they are text."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import re
import stat
import zipfile
import zlib
from typing import IO, TYPE_CHECKING, BinaryIO

from fairbench.data.limits import MOST_BYTES, SIZE
from fairbench.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

__all__ = ["decoded", "read_bytes"]

URL = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]+:/")
SNIFFED = 1 << 16
"""Bytes at the start of a file in which a NUL tells that it is no text."""

PACKED: tuple[tuple[bytes, str, Callable[[BinaryIO], IO[bytes] | io.BufferedIOBase]], ...] = (
    (b"\x1f\x8b", "gzip", lambda stream: gzip.GzipFile(fileobj=stream)),
    (b"\xfd7zXZ\x00", "xz", lzma.LZMAFile),
    (b"BZh", "bzip2", bz2.BZ2File),
)
"""First bytes of a compressed file, what it is called, and how it is opened."""

ZIP = b"PK\x03\x04"
MARKS = (
    (b"\xef\xbb\xbf", "utf-8-sig"),
    (b"\xff\xfe\x00\x00", "utf-32"),
    (b"\x00\x00\xfe\xff", "utf-32"),
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
)
"""Byte order marks, the longer before their beginnings."""

SAVE = "save the table as CSV in UTF-8, or name its encoding with --encoding"


def read_bytes(path: Path, encoding: str, /) -> bytes:
    """The content of `path`, unpacked where it is gzip, xz, bzip2 or a zip of one table.

    Only ordinary files are opened: a pipe or a device may never end. Where the user names no
    `encoding`, binary data are refused by their first bytes.

    Raises
    ------
    DataError
        When it is a URL, missing, not an ordinary file, damaged, or above the limits.
    """
    if URL.match(str(path)):
        raise DataError(
            "a URL is no file, and nothing is fetched from the network",
            where=URL.sub(lambda found: f"{found[0]}/", str(path), count=1),
            hint="download it first, and give the path of your copy",
        )
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise DataError(
                f"{path.name} is {_kind(status.st_mode)}, not an ordinary file",
                where=str(path),
                hint="write the table into a file and give its path",
            )
        _check_size(status.st_size, str(path))
        with path.open("rb") as stream:
            head = stream.read(SNIFFED)
            _check_text(head, encoding, str(path))
            data = head + stream.read(MOST_BYTES)
    except (OSError, ValueError) as error:
        raise DataError(
            f"cannot read {path.name}: {getattr(error, 'strerror', None) or error}",
            where=str(path.absolute()),
            hint="give the path of a table that you may read",
        ) from error
    unpacked = _unpacked(data, str(path))
    _check_text(unpacked[:SNIFFED], encoding, str(path))
    return unpacked


def decoded(data: bytes, encoding: str, where: str) -> bytes:
    """`data` as UTF-8 without a byte order mark.

    Parameters
    ----------
    encoding
        What the user says it is in; empty for a byte order mark, or else UTF-8.

    Raises
    ------
    DataError
        Where the bytes are not of that encoding; the message has the line.
    """
    marked = next((name for mark, name in MARKS if data.startswith(mark)), "")
    if not encoding and marked in {"", "utf-8-sig"}:
        data = data.removeprefix(MARKS[0][0])
        _check_utf8(data, where)
        return data
    try:
        text = data.decode(encoding or marked)
    except UnicodeError as error:
        at = getattr(error, "start", 0)
        raise DataError(
            f"not {encoding or marked} text: {getattr(error, 'reason', error)}, byte {at + 1}",
            where=f"{where}, line {_line(data, at)}",
            hint="name the encoding it was written in with --encoding",
        ) from error
    except LookupError as error:
        raise DataError(
            f"no encoding is called {encoding!r}",
            where="--encoding",
            hint="use a name that Python knows: utf-8, cp1252, latin-1, utf-16",
        ) from error
    return text.removeprefix("\ufeff").encode("utf-8", errors="replace")


def _check_utf8(data: bytes, where: str) -> None:
    import pyarrow as pa

    try:  # without a copy as Python text, which takes up to four times the memory
        pa.Array.from_buffers(
            pa.large_string(),
            1,
            [None, pa.py_buffer(_offsets(len(data))), pa.py_buffer(data)],
        ).validate(full=True)
    except pa.ArrowInvalid:
        try:
            data.decode("utf-8")
        except UnicodeDecodeError as error:
            raise DataError(
                f"not UTF-8 text: byte {data[error.start]:#04x}",
                where=f"{where}, line {_line(data, error.start)}",
                hint="say what it is with --encoding, often cp1252 (Windows, western Europe) or "
                "latin-1, or save it in UTF-8",
            ) from error


def _line(data: bytes, at: int) -> int:
    return data[:at].count(b"\n") + 1


def _offsets(length: int) -> bytes:
    return (0).to_bytes(8, "little") + length.to_bytes(8, "little")


def _check_text(head: bytes, encoding: str, where: str) -> None:
    """Refuse what is neither text nor any kind of file that is known, before reading it whole."""
    known = (*(mark for mark, _ in MARKS[1:]), *(magic for magic, *_ in PACKED), ZIP, *TABLES)
    if b"\x00" in head and not encoding and not head.startswith(known):
        raise DataError(
            f"not a table: a NUL byte at {head.index(0)} (binary data, or UTF-16 without a mark)",
            where=where,
            hint="give CSV, Parquet, Feather or Excel; for text in UTF-16, --encoding utf-16",
        )


TABLES = (b"PAR1", b"ARROW1", b"FEA1", b"\xd0\xcf\x11\xe0")
"""First bytes of Parquet, Feather 2 and 1, and of Excel before 2007."""


def _check_size(size: int, where: str) -> None:
    if size > MOST_BYTES:
        raise DataError(
            f"the file takes {size:,} bytes, above the limit of {SIZE}",
            where=where,
            hint="give a part of the rows or columns, or Parquet, which is smaller",
        )


def _unpacked(data: bytes, where: str) -> bytes:
    for magic, name, opened in PACKED:
        if data.startswith(magic):
            return _stream(lambda o=opened: o(io.BytesIO(data)), name, where)  # type: ignore[misc]
    if data.startswith(ZIP):
        return _zip(data, where)
    return data


def _stream(opened: Callable[[], IO[bytes] | io.BufferedIOBase], name: str, where: str) -> bytes:
    """All that a compressed stream holds, up to the limit."""
    try:
        with opened() as stream:
            data = stream.read(MOST_BYTES + 1)
    except (OSError, EOFError, ValueError, RuntimeError, NotImplementedError) as error:
        raise _damaged(name, error, where) from error
    except (zlib.error, lzma.LZMAError, zipfile.BadZipFile) as error:
        raise _damaged(name, error, where) from error
    if len(data) > MOST_BYTES:
        raise DataError(
            f"unpacked, the file takes more than {SIZE}",
            where=where,
            hint="give a part of the rows or columns",
        )
    return data


def _damaged(name: str, error: Exception, where: str) -> DataError:
    return DataError(
        f"the {name} file cannot be unpacked: {error}",
        where=where,
        hint="fetch or write it again, or unpack it yourself",
    )


def _zip(data: bytes, where: str) -> bytes:
    """The one table of an archive; a workbook stays as it is, because it is an archive itself."""
    try:
        archive = zipfile.ZipFile(io.BytesIO(data))
    except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError) as error:
        raise _damaged("zip", error, where) from error
    with archive:
        members = [m for m in archive.infolist() if not m.is_dir()]
        names = {member.filename for member in members}
        if "xl/workbook.xml" in names or "[Content_Types].xml" in names:
            _check_size(sum(member.file_size for member in members), where)
            return data
        tables = [m for m in members if not m.filename.startswith("__MACOSX/")]
        if len(tables) != 1:
            listed = ", ".join(sorted(m.filename for m in tables)[:5])
            raise DataError(
                f"the archive holds {len(tables)} files: {listed or 'none'}",
                where=where,
                hint="unpack it, and give the path of the table",
            )
        return _stream(lambda: archive.open(tables[0]), "zip", where)


def _kind(mode: int) -> str:
    if stat.S_ISDIR(mode):
        return "a folder"
    if stat.S_ISFIFO(mode):
        return "a pipe"
    return "a device" if stat.S_ISCHR(mode) or stat.S_ISBLK(mode) else "a socket"
