"""Reads a user's CSV or Parquet file."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

from fairbench.data.tables import FrameTable, Table, TextTable, check_names
from fairbench.errors import DataError, first_line

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["read_table"]

DELIMITERS = ",;\t"
PARQUET_MAGIC = b"PAR1"


def read_table(path: Path, /) -> Table:
    """The table in `path`: Parquet by its first bytes or suffix, CSV otherwise.

    CSV is UTF-8 with a header line and one of comma, semicolon or tab between cells.

    Raises
    ------
    DataError
        When the file is missing, empty or not such a table.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DataError(
            f"cannot read {path.name}: {error.strerror}",
            where=str(path.absolute()),
            mend="give the path of a CSV or Parquet file that you may read",
        ) from error
    if data.startswith(PARQUET_MAGIC) or path.suffix.lower() in {".parquet", ".pq"}:
        return _parquet(data, str(path))
    return _csv(_text(data, str(path)), str(path))


def _text(data: bytes, where: str) -> str:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise DataError(
            f"not UTF-8 text: byte {data[error.start]:#04x}",
            where=f"{where}, line {line}",
            mend="save the table as CSV in UTF-8",
        ) from error
    if not text.strip():
        raise DataError(
            "the file is empty", where=where, mend="give a table with a header line and rows"
        )
    return text


def _csv(text: str, where: str) -> Table:
    lines: list[int] = []
    rows: list[list[str]] = []
    reader = csv.reader(
        io.StringIO(text, newline=""),
        delimiter=_delimiter(text),
        strict=True,
        skipinitialspace=True,
    )
    start = 1
    try:
        for row in reader:
            if row:  # [] is a blank line
                rows.append(row)
                lines.append(start)
            start = reader.line_num + 1
    except csv.Error as error:
        raise DataError(
            f"not a CSV table: {error}",
            where=f"{where}, line {start}",
            mend="close every quote, and double a quote that is part of a text",
        ) from error
    header = [name.strip() for name in rows[0]]
    check_names(header, where)
    cells = _even(rows, lines, where)
    if not cells:
        raise DataError("the table has a header and no rows", where=where, mend="add its rows")
    return TextTable(where, header, cells, lines[1:])


def _even(rows: list[list[str]], lines: list[int], where: str) -> list[list[str]]:
    """The rows below the header, all as long as it."""
    width = len(rows[0])
    for row, line in zip(rows, lines, strict=True):
        if len(row) != width:
            raise DataError(
                f"a row of {len(row)} cells under a header of {width}",
                where=f"{where}, line {line}",
                mend="give every row as many cells as the header; quote texts with a delimiter",
            )
    return rows[1:]


def _delimiter(text: str) -> str:
    """The most frequent candidate outside quotes in the first line that is not blank."""
    header = text.lstrip("\r\n").splitlines()[0]
    bare = "".join(header.split('"')[::2])
    return max(DELIMITERS, key=bare.count)


def _parquet(data: bytes, where: str) -> Table:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        arrow = pq.read_table(io.BytesIO(data))
        check_names(arrow.column_names, where)
        frame = arrow.to_pandas()
    except (pa.ArrowException, OSError, ValueError, TypeError, KeyError) as error:
        raise DataError(
            f"not a Parquet table: {first_line(error)}",
            where=where,
            mend="write it again as Parquet, or give CSV",
        ) from error
    named = [level for level in frame.index.names if level is not None]
    if named:  # pandas stored columns as the index of the rows
        frame = frame.reset_index(level=named)
    table = FrameTable(where, frame.reset_index(drop=True))
    if not table.rows:
        raise DataError("the table has no rows", where=where, mend="give a table with rows")
    return table
