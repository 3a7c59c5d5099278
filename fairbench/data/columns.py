"""Columns as numbers or categories: equal cells give equal columns, whatever kind of file."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, cast

import numpy as np

from fairbench.data import notation
from fairbench.data.cells import unusable
from fairbench.data.notation import Notation
from fairbench.errors import DataError, visible

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa
    from numpy.typing import NDArray

    from fairbench.data.tables import Table
    from fairbench.dataset import FloatArray, IntArray

    BoolArray = NDArray[np.bool_]
    TextArray = NDArray[np.object_]

__all__ = ["MISSING", "Column", "How", "Reader", "as_category"]

How = Literal["guess", "number", "category", "target", "group"]
"""What a column is to be: ``group`` is a guess that keeps NA as a text."""

MISSING = ("", "?", "na", "n/a", "#n/a", "<na>", "nan", "nat", "null")
"""Texts that stand for no value, in lower case."""

EXACT = 2**53
"""Whole numbers up to which float64 tells every two apart."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column over n rows.

    Attributes
    ----------
    missing : (n,) bool
        Cells without a value.
    numbers : (n,) float
        NaN where missing; empty for a column of texts.
    codes : (n,) int
        Index into `levels`, -1 where missing; empty for a column of numbers.
    levels : (k,) object
        The different texts, sorted.
    exact : (n,) int or object
        Whole numbers that float64 cannot hold; empty where it can.
    read
        In words, how the cells were written where that is not plain; empty otherwise.
    """

    name: str
    kind: Literal["number", "boolean", "date", "text"]
    missing: BoolArray
    numbers: FloatArray
    codes: IntArray
    levels: TextArray
    exact: NDArray[Any]
    read: str = ""

    @property
    def is_text(self) -> bool:
        """Whether the column holds texts."""
        return self.kind == "text"

    @property
    def values(self) -> FloatArray | TextArray:
        """(n,) float, NaN where missing; or (n,) object, "" where missing."""
        return cast("TextArray", np.append(self.levels, "")[self.codes]) if self.is_text else (
            self.numbers
        )  # fmt: skip

    def rows(self, keep: BoolArray | IntArray, /) -> Column:
        """The column on some rows; levels without any of them are gone."""
        part = replace(
            self,
            missing=self.missing[keep],
            numbers=self.numbers[keep] if not self.is_text else self.numbers,
            codes=self.codes[keep] if self.is_text else self.codes,
            exact=self.exact[keep] if len(self.exact) else self.exact,
        )
        if not self.is_text:
            return part
        used = np.bincount(part.codes + 1, minlength=len(self.levels) + 1)[1:] > 0
        renumbered = np.append(np.cumsum(used) - 1, -1)
        return replace(part, codes=renumbered[part.codes], levels=self.levels[used])

    def identity(self) -> IntArray:
        """(n,) int: equal from 0 for equal cells, in the order they first appear; -1 missing."""
        import pandas as pd

        cells = self.codes if self.is_text else self.exact if len(self.exact) else self.numbers
        codes = np.full(len(self.missing), -1, dtype=np.int64)
        codes[~self.missing] = pd.factorize(cells[~self.missing])[0]
        return codes

    def sorted(self) -> tuple[FloatArray | TextArray, IntArray]:
        """The different values in order, and (n,) each cell's index into them; none is missing."""
        if self.is_text:
            return self.levels, self.codes
        return np.unique(self.numbers, return_inverse=True)

    def distinct(self) -> int:
        """Number of different values."""
        return len(self.levels) if self.is_text else int(self.identity().max(initial=-1)) + 1


class Reader:
    """Reads the columns of one table, all in the notation of that table.

    `texts` is what a column of texts is guessed to be: ``category`` where whoever made the table
    chose the types of its columns.
    """

    def __init__(self, table: Table, notation: Notation, /, texts: How = "guess") -> None:
        self.table, self.notation, self.texts = table, notation, texts

    def column(self, name: str, how: How = "guess", /) -> Column:
        """The column `name` as numbers where all its cells are, as texts otherwise.

        Raises
        ------
        DataError
            Where it holds neither numbers, dates nor text, or a notation with two readings.
        """
        import pyarrow as pa
        import pyarrow.compute as pc

        array = self.table.raw(name)
        if pa.types.is_dictionary(array.type):
            array = pc.cast(array, array.type.value_type)
        kind = array.type
        if pa.types.is_decimal(kind):
            array, kind = pc.cast(array, pa.string()), pa.string()
        if _is_text(kind):
            return self._text(name, array, self.texts if how == "guess" else how)
        column = _typed(name, array)
        if column is None:
            raise unusable(name, str(kind), self.table.where)
        return as_category(column) if how == "category" else column

    def _text(self, name: str, array: pa.ChunkedArray, how: How) -> Column:
        if self.notation == Notation() and (quick := _quick(name, array, how)) is not None:
            return as_category(quick) if how == "category" else quick
        texts, codes = _levels(array, ("",) if how == "group" else MISSING)
        missing = codes < 0
        if not len(texts):
            return _numeric(name, "number", np.full(len(codes), np.nan), missing)
        numbers = self._numbers(name, texts, how)
        if numbers is None:
            return _textual(name, texts, codes)
        spread = _spread(numbers, codes, missing)
        return as_category(spread) if how == "category" else spread

    def _numbers(self, name: str, texts: pa.Array, how: How) -> Column | None:
        """The different texts as a column of numbers, if they are."""
        none = np.zeros(len(texts), dtype=bool)
        if self.notation == Notation() and notation.plain(texts).all():
            if how not in {"number", "target"} and _are_codes(texts):
                return None
            if (integers := notation.whole(texts)) is not None:
                return _integers(name, integers, none)
            return _numeric(name, "number", _floats(texts), none)
        if how == "category":
            return None
        if (truth := notation.booleans(texts, answers=how == "target")) is not None:
            return replace(_numeric(name, "boolean", truth.values, none), read=truth.how)
        if (days := notation.dates(texts)) is not None:
            return replace(_numeric(name, "date", days, none), read="dates as days since 1970")
        parsed = notation.formatted(texts, self.notation)
        if parsed is None:
            return None
        if parsed.ambiguous and self._decimal_commas:
            raise DataError(
                f"column {name!r} can be read in two ways: a comma before three digits, beside "
                f"decimal commas in column {self._decimal_commas!r}",
                where=self.table.where,
                mend="say which with --decimal , or --thousands ,",
            )
        return replace(_numeric(name, "number", parsed.values, none), read=parsed.how)

    @cached_property
    def _decimal_commas(self) -> str:
        """A column that is certainly written with decimal commas, if there is one."""
        for name in self.table.names:
            array = self.table.raw(name)
            if not _is_text(array.type):
                continue
            texts, _ = _levels(array, MISSING)
            if len(texts):
                parsed = notation.formatted(texts, self.notation)
                if parsed is not None and parsed.proves == ",":
                    return name
        return ""


def as_category(column: Column) -> Column:
    """`column` with its numbers written out as texts, whole ones without a decimal point."""
    import pyarrow as pa

    if column.is_text:
        return column
    codes = column.identity()
    first = np.full(codes.max(initial=-1) + 1, -1)
    present = np.flatnonzero(codes >= 0)[::-1]
    first[codes[present]] = present  # the first row of each value, because it is written last
    texts = [_written(column, row) for row in first]
    return replace(_textual(column.name, pa.array(texts, pa.string()), codes), read=column.read)


def _written(column: Column, row: int) -> str:
    if len(column.exact):
        return str(column.exact[row])
    value = float(column.numbers[row])
    if column.kind == "boolean":
        return str(bool(value))
    if column.kind == "date":
        moment = np.datetime64(round(value * 86_400), "s")
        return str(moment.astype("datetime64[D]" if value.is_integer() else "datetime64[s]"))
    return str(int(value)) if value.is_integer() else repr(value)


def _is_text(kind: pa.DataType) -> bool:
    import pyarrow as pa

    return bool(
        pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)
    )


def _typed(name: str, array: pa.ChunkedArray) -> Column | None:
    """Cells that are stored as numbers, booleans or times; None where they are none."""
    import pyarrow as pa
    import pyarrow.compute as pc

    kind, types = array.type, pa.types
    missing = np.asarray(pc.is_null(array), dtype=bool)
    if types.is_null(kind):
        return _numeric(name, "number", np.full(len(array), np.nan), missing)
    if types.is_boolean(kind):
        return _numeric(name, "boolean", _filled(pc.cast(array, pa.int8()), np.nan), missing)
    if types.is_integer(kind) and not types.is_uint64(kind):
        integers = np.asarray(pc.fill_null(pc.cast(array, pa.int64()), 0), dtype=np.int64)
        return _integers(name, integers, missing)
    if types.is_uint64(kind):
        return _integers(name, pc.fill_null(array, 0).to_pylist(), missing)
    if types.is_floating(kind):
        numbers = _filled(pc.cast(array, pa.float64()), np.nan)
        return _numeric(name, "number", numbers, missing | np.isnan(numbers))
    if types.is_date(kind) or types.is_timestamp(kind):
        moments = pc.cast(pc.cast(array, pa.timestamp("us", tz=getattr(kind, "tz", None)),
                                  safe=False), pa.int64())  # fmt: skip
        days = _filled(moments, np.nan) / notation.DAY
        return replace(_numeric(name, "date", days, missing), read="dates as days since 1970")
    if types.is_duration(kind):
        spans = pc.cast(pc.cast(array, pa.duration("us"), safe=False), pa.int64())
        days = _filled(spans, np.nan) / notation.DAY
        return replace(_numeric(name, "number", days, missing), read="durations in days")
    return None


def _filled(array: pa.ChunkedArray, value: float) -> FloatArray:
    import pyarrow as pa
    import pyarrow.compute as pc

    filled = pc.fill_null(pc.cast(array, pa.float64(), safe=False), value)
    return np.array(filled, dtype=np.float64)  # a copy: what Arrow holds cannot be written to


def _quick(name: str, array: pa.ChunkedArray, how: How) -> Column | None:
    """Numbers without a blank, sign or missing cell among them: most columns of large files."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if array.null_count:
        return None
    for kind in (pa.int64(), pa.float64()):
        try:
            cells = pc.cast(array, kind)
        except pa.ArrowInvalid:
            continue
        if pa.types.is_integer(kind):
            zeros = pc.filter(array, pc.starts_with(array, "0"))
            if how in {"guess", "category", "group"} and _are_codes(zeros):
                return None
            if np.asarray(pc.match_substring_regex(zeros, r"(?i)^0x")).any():
                return None  # hexadecimal, which Arrow reads and data files do not mean
            return _integers(name, np.asarray(cells), np.zeros(len(cells), dtype=bool))
        numbers = np.asarray(cells, dtype=np.float64)
        if np.isnan(numbers).any() or (np.abs(numbers) > EXACT).any():
            return None  # a missing cell, or a whole number beyond what Arrow reads as one
        return _numeric(name, "number", numbers.copy(), np.zeros(len(cells), dtype=bool))
    return None


def _are_codes(texts: pa.Array) -> bool:
    """Whether whole numbers are written with zeros before them, as postal codes are."""
    import pyarrow.compute as pc

    return bool(np.asarray(pc.match_substring_regex(texts, r"^0\d+$")).any())


def _levels(array: pa.ChunkedArray, missing: Sequence[str]) -> tuple[pa.Array, IntArray]:
    """The different texts that are values, stripped, and each cell's index into them or -1."""
    import pyarrow as pa
    import pyarrow.compute as pc

    encoded = pc.cast(array, pa.large_string()).combine_chunks().dictionary_encode()
    if isinstance(encoded, pa.ChunkedArray):
        encoded = encoded.chunk(0)
    texts = pc.utf8_trim_whitespace(encoded.dictionary)
    gone = np.asarray(pc.is_in(pc.utf8_lower(texts), pa.array(missing, pa.large_string())))
    renumbered = np.append(np.where(gone, -1, np.cumsum(~gone) - 1), -1)
    codes = np.asarray(pc.fill_null(encoded.indices, -1), dtype=np.int64)
    return texts.filter(pa.array(~gone)), renumbered[codes]


def _floats(texts: pa.Array) -> FloatArray:
    import pyarrow as pa
    import pyarrow.compute as pc

    unsigned = pc.replace_substring_regex(texts, r"^\+", "")
    return np.asarray(pc.cast(unsigned, pa.float64()), dtype=np.float64)


def _integers(name: str, integers: IntArray | list[int], missing: BoolArray) -> Column:
    """Whole numbers; those that float64 would make equal are counted from the smallest."""
    cells = np.array(integers, dtype=object) if isinstance(integers, list) else integers
    present = cells[~missing]
    low, high = (int(present.min()), int(present.max())) if len(present) else (0, 0)
    beyond = max(abs(low), abs(high)) > EXACT
    counted = beyond and high - low <= EXACT
    numbers = (cells - low if counted else cells).astype(np.float64)
    numbers[missing] = np.nan
    column = _numeric(name, "number", numbers, missing)
    if not beyond:
        return column
    read = f"whole numbers beyond 2⁵³, counted from {low}" if counted else ""
    return replace(column, exact=cells, read=read)


def _numeric(
    name: str,
    kind: Literal["number", "boolean", "date"],
    numbers: FloatArray,
    missing: BoolArray,
) -> Column:
    nothing = np.empty(0, dtype=np.int64)
    return Column(name, kind, missing, numbers, nothing, np.empty(0, dtype=object), nothing)


def _textual(name: str, texts: pa.Array, codes: IntArray) -> Column:
    """A column of texts: `codes` of cells into `texts`, which may hold one text twice."""
    shown = np.array([visible(text) for text in texts.to_pylist()], dtype=object)
    levels, merged = np.unique(shown, return_inverse=True)
    codes = np.append(merged.astype(np.int64), -1)[codes]
    return Column(name, "text", codes < 0, np.empty(0), codes, levels, np.empty(0, dtype=np.int64))


def _spread(values: Column, codes: IntArray, missing: BoolArray) -> Column:
    """A column over cells from one over its different texts."""
    exact = np.append(values.exact, 0)[codes] if len(values.exact) else values.exact
    return replace(
        values, missing=missing, numbers=np.append(values.numbers, np.nan)[codes], exact=exact
    )
