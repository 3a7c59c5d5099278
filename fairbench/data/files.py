"""Reads a user's table: CSV, Parquet, Feather or Excel, plain or compressed."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any

from fairbench.data.content import decoded, read_bytes
from fairbench.data.csv_file import csv_table
from fairbench.data.excel_file import excel_table
from fairbench.data.limits import check_extent
from fairbench.data.tables import Table, column_names, rows_from_one
from fairbench.errors import DataError, first_line

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pyarrow as pa

__all__ = ["read_table"]

INDEX = "__index_level_"
"""How pandas calls the index of rows in a file where it has no name."""


def read_table(path: Path, encoding: str = "", /) -> Table:
    """The table in `path`, its kind told from its first bytes, or else from its suffix.

    Raises
    ------
    DataError
        When the file is missing, not such a table, empty, or above the limits.
    """
    where = str(path)
    data = read_bytes(path, encoding)
    suffix = path.suffix.lower()
    if data.startswith(b"PK\x03\x04"):
        return excel_table(data, where)
    if data.startswith(b"\xd0\xcf\x11\xe0") or suffix == ".xls":
        raise DataError(
            "Excel's format from before 2007 is not read",
            where=where,
            hint="save the workbook as .xlsx or as CSV",
        )
    if data.startswith(b"FEA1"):
        raise DataError(
            "version 1 of Feather is not read", where=where, hint="write it again as Feather 2"
        )
    if data.startswith(b"PAR1") or suffix in {".parquet", ".pq"}:
        return _stored("Parquet", _parquet, data, where)
    if data.startswith(b"ARROW1") or suffix in {".feather", ".arrow"}:
        return _stored("Feather", _feather, data, where)
    return csv_table(decoded(data, encoding, where), where)


def _stored(kind: str, read: Callable[[bytes, str], pa.Table], data: bytes, where: str) -> Table:
    """The table of a file that keeps the types of its columns."""
    import pyarrow as pa

    try:
        stored = read(data, where)
    except (pa.ArrowException, OSError, ValueError, TypeError, KeyError) as error:
        raise DataError(
            f"not a {kind} table: {first_line(error)}",
            where=where,
            hint=f"write it again as {kind}, or give CSV",
        ) from error
    if not stored.num_rows:
        raise DataError("the table has no rows", where=where, hint="give a table with rows")
    unnamed = _unnamed_indices(stored.schema)
    names = column_names(["" if name in unnamed else name for name in stored.column_names], where)
    position = {name: number for number, name in enumerate(names)}
    return Table(
        where,
        names,
        stored.num_rows,
        lambda name: stored.column(position[name]),
        rows_from_one,
    )


def _parquet(data: bytes, where: str) -> pa.Table:
    import pyarrow.parquet as pq

    file = pq.ParquetFile(io.BytesIO(data))
    # A few bytes can stand for any number of equal cells, so the limits come first.
    check_extent(file.metadata.num_rows, file.metadata.num_columns, where)
    return file.read()


def _feather(data: bytes, where: str) -> pa.Table:
    import pyarrow as pa

    with pa.ipc.open_file(pa.py_buffer(data)) as file:
        rows = sum(file.get_batch(number).num_rows for number in range(file.num_record_batches))
        check_extent(rows, len(file.schema), where)
        return file.read_all()


def _unnamed_indices(schema: pa.Schema) -> set[str]:
    """Columns that pandas wrote for an index without a name."""
    try:
        about: Any = json.loads((schema.metadata or {}).get(b"pandas", b"{}"))
        indices = about.get("index_columns", [])
    except (ValueError, AttributeError):  # whoever wrote it, the columns are whole
        return set()
    return {i for i in indices if isinstance(i, str) and i.startswith(INDEX)}
