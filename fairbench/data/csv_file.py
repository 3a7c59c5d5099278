"""CSV and its kin: cells separated by comma, semicolon, tab or bar, with quotes where needed.

pyarrow reads at the speed of the disk but forgives a quote in the wrong place and knows no line
numbers. So it reads files whose quotes are all where they belong, and Python's own reader, which
is strict, reads the others and finds the lines that messages name.
"""

from __future__ import annotations

import csv
import io
import re
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np

from fairbench.data.limits import check_extent
from fairbench.data.tables import Table, column_names
from fairbench.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import pyarrow as pa

__all__ = ["csv_table"]

DELIMITERS = ",;\t|"
BATCH = 20_000
"""Rows that Python's reader holds at once."""
BLOCK = 8 << 20
"""Bytes that pyarrow parses at once; a longer row is left to Python's reader."""


def csv_table(data: bytes, where: str) -> Table:
    """The table in `data`, UTF-8 without a byte order mark, its first row the header.

    Raises
    ------
    DataError
        When it is empty, ragged, wrongly quoted, or above the limits.
    """
    if re.search(rb"\S", data) is None:
        raise DataError(
            "the file is empty", where=where, hint="give a table with a header line and rows"
        )
    delimiter = _delimiter(data)
    _, header = next(_records(data, delimiter, where))
    names = column_names(header, where)
    check_extent(data.count(b"\n"), len(names), where)
    table = _read(data, delimiter, len(names), where)
    if not table.num_rows:
        raise DataError("the table has a header and no rows", where=where, hint="add its rows")
    position = {name: number for number, name in enumerate(names)}
    values = "the first line holds numbers only and was taken for the names of the columns"
    return Table(
        where,
        names,
        table.num_rows,
        lambda name: table.column(position[name]),
        lambda rows: [f"line {line}" for line in _lines(data, delimiter, where, rows)],
        (values,) if _are_values(names) else (),
    )


def _are_values(names: Sequence[str]) -> bool:
    """Say whether a header looks like a row of values: numbers, but not those of positions."""
    numbered = names == tuple(str(position) for position in range(len(names)))
    return not numbered and all(re.fullmatch(r"[+-]?\d*\.?\d+", name) for name in names)


def _delimiter(data: bytes) -> str:
    """The most frequent candidate outside quotes in the first line that is not blank."""
    found = re.search(rb"[^\r\n]+", data)
    assert found is not None  # the file is not empty
    bare = b"".join(found[0].split(b'"')[::2]).decode()
    return max(DELIMITERS, key=bare.count)


def _records(data: bytes, delimiter: str, where: str) -> Iterator[tuple[int, list[str]]]:
    """Every row that is not blank, and the line on which it starts."""
    reader = csv.reader(
        io.TextIOWrapper(io.BytesIO(data), encoding="utf-8", newline=""),
        delimiter=delimiter,
        strict=True,
        skipinitialspace=True,
    )
    start = 1
    try:
        for row in reader:
            if row:  # [] is a blank line
                yield start, row
            start = reader.line_num + 1
    except csv.Error as error:
        raise DataError(
            f"not a CSV table: {error}",
            where=f"{where}, line {start}",
            hint="close every quote, and double a quote that is part of a text",
        ) from error


def _lines(data: bytes, delimiter: str, where: str, rows: Sequence[int]) -> list[int]:
    """The lines on which `rows` (ascending, from 0 below the header) start."""
    wanted = list(rows)
    found: list[int] = []
    for number, (line, _) in enumerate(islice(_records(data, delimiter, where), 1, None)):
        if len(found) == len(wanted):
            break
        if number == wanted[len(found)]:
            found.append(line)
    return found


def _read(data: bytes, delimiter: str, width: int, where: str) -> pa.Table:
    """All rows below the header, every cell a text."""
    import pyarrow as pa
    from pyarrow import csv as pacsv

    if not _well_quoted(data, delimiter):
        return _read_strictly(data, delimiter, width, where)
    names = [str(position) for position in range(width)]
    try:
        table = pacsv.read_csv(
            pa.py_buffer(data),
            pacsv.ReadOptions(column_names=names, block_size=BLOCK),
            pacsv.ParseOptions(delimiter=delimiter, newlines_in_values=b'"' in data),
            pacsv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False
            ),
        )
    except pa.ArrowException:  # Python's reader says what is wrong, and where
        return _read_strictly(data, delimiter, width, where)
    return table.slice(1)


def _well_quoted(data: bytes, delimiter: str) -> bool:
    """Say whether every quote begins or ends a cell, or is half of a doubled one."""
    quote = ord('"')
    if quote not in data:
        return True
    edge = np.isin(np.arange(256), [quote, ord(delimiter), ord("\n"), ord("\r")])
    count = 0
    for start in range(0, len(data), BLOCK):  # with the byte before and the byte after the block
        block = b"\n"[start:] + data[max(start - 1, 0) : start + BLOCK + 1] + b"\n"
        content = np.frombuffer(block, dtype=np.uint8)
        at = 1 + np.flatnonzero(content[1 : BLOCK + 1] == quote)
        at = at[at < len(data) - start + 1]
        count += len(at)
        if not (edge[content[at - 1]] | edge[content[at + 1]]).all():
            return False
    return count % 2 == 0


def _read_strictly(data: bytes, delimiter: str, width: int, where: str) -> pa.Table:
    import pyarrow as pa

    def even() -> Iterator[list[str]]:
        for line, row in islice(_records(data, delimiter, where), 1, None):
            if len(row) != width:
                raise DataError(
                    f"a row of {len(row)} cells under a header of {width}",
                    where=f"{where}, line {line}",
                    hint="give every row as many cells as the header; quote texts with a delimiter",
                )
            yield row

    rows = even()
    schema = pa.schema([(str(position), pa.string()) for position in range(width)])
    batches = []
    while batch := list(islice(rows, BATCH)):
        cells = [pa.array(column, pa.string()) for column in zip(*batch, strict=True)]
        batches.append(pa.record_batch(cells, schema))
    return pa.Table.from_batches(batches, schema)
