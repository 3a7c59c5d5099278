"""Reads the columns of a table: equal cells, equal columns, whatever kind of file they are in."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Literal

import numpy as np

from fairbench.data import notation
from fairbench.data.cells import unusable
from fairbench.data.columns import (
    EXACT,
    Column,
    as_category,
    of_integers,
    of_numbers,
    of_texts,
    spread_over,
)
from fairbench.data.notation import Notation
from fairbench.data.stored import holds_text, typed
from fairbench.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

    from fairbench.data.tables import Table
    from fairbench.dataset import FloatArray, IntArray

__all__ = ["MISSING", "How", "Reader"]

How = Literal["guess", "number", "category", "target", "group"]
"""What a column is to be: ``group`` is a guess that keeps NA as a text."""

MISSING = ("", "?", "na", "n/a", "#n/a", "<na>", "nan", "nat", "null")
"""Texts that stand for no value, in lower case."""


class Reader:
    """Reads the columns of one table, all in the notation of that table.

    `texts` is what a column of texts is guessed to be: ``category`` where whoever made the table
    chose the types of its columns.
    """

    def __init__(self, table: Table, notation: Notation, /, texts: How = "guess") -> None:
        self.table, self.notation, self.texts = table, notation, texts
        self._read: dict[tuple[str, How], Column] = {}

    def column(self, name: str, how: How = "guess", /) -> Column:
        """The column `name` as numbers where all its cells are, as texts otherwise.

        Raises
        ------
        DataError
            Where it holds neither numbers, dates nor text, or a notation with two readings.
        """
        if (name, how) not in self._read:
            self._read[name, how] = self._column(name, how)
        return self._read[name, how]

    def _column(self, name: str, how: How) -> Column:
        import pyarrow as pa
        import pyarrow.compute as pc

        array = self.table.raw(name)
        if pa.types.is_dictionary(array.type):
            array = pc.cast(array, array.type.value_type)
        kind = array.type
        if pa.types.is_decimal(kind):
            array, kind = pc.cast(array, pa.string()), pa.string()
        if holds_text(kind):
            column = self._text(name, array, self.texts if how == "guess" else how)
            return as_category(column) if how == "group" and self.texts == "category" else column
        stored = typed(name, array)
        if stored is None:
            raise unusable(name, str(kind), self.table.where)
        return as_category(stored) if how == "category" else stored

    def _text(self, name: str, array: pa.ChunkedArray, how: How) -> Column:
        if self.notation == Notation() and (quick := _quick(name, array, how)) is not None:
            return as_category(quick) if how == "category" else quick
        texts, codes = _levels(array, ("",) if how == "group" else MISSING)
        missing = codes < 0
        if not len(texts):
            return of_numbers(name, "number", np.full(len(codes), np.nan), missing)
        numbers = self._numbers(name, texts, how)
        if numbers is None:
            return of_texts(name, texts, codes)
        spread = spread_over(numbers, codes, missing)
        return as_category(spread) if how == "category" else spread

    def _numbers(self, name: str, texts: pa.Array, how: How) -> Column | None:
        """The different texts as a column of numbers, if they are."""
        none = np.zeros(len(texts), dtype=bool)
        if (integers := notation.whole(texts)) is not None:
            if how not in {"number", "target"} and _are_codes(texts):
                return None
            return of_integers(name, integers, none)
        if self.notation == Notation() and notation.plain(texts).all():
            return of_numbers(name, "number", _floats(texts), none)
        if how == "category":
            return None
        if (truth := notation.booleans(texts, answers=how == "target")) is not None:
            return replace(of_numbers(name, "boolean", truth.values, none), read=truth.how)
        if (days := notation.dates(texts)) is not None:
            return replace(of_numbers(name, "date", days, none), read="dates as days since 1970")
        parsed = notation.formatted(texts, self.notation)
        if parsed is None:
            return None
        if parsed.ambiguous and self._decimal_commas:
            raise DataError(
                f"column {name!r} can be read in two ways: a comma before three digits, beside "
                f"decimal commas in column {self._decimal_commas!r}",
                where=self.table.where,
                hint="say which with --decimal , or --thousands ,",
            )
        return replace(of_numbers(name, "number", parsed.values, none), read=parsed.how)

    @cached_property
    def _decimal_commas(self) -> str:
        """A column that is certainly written with decimal commas, if there is one."""
        for name in self.table.names:
            array = self.table.raw(name)
            if not holds_text(array.type):
                continue
            texts, _ = _levels(array, MISSING)
            if len(texts):
                parsed = notation.formatted(texts, self.notation)
                if parsed is not None and parsed.proves == ",":
                    return name
        return ""


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
            if how not in {"number", "target"} and _are_codes(zeros):
                return None
            if np.asarray(pc.match_substring_regex(zeros, r"(?i)^0x")).any():
                return None  # hexadecimal, which Arrow reads and data files do not mean
            return of_integers(name, np.asarray(cells), np.zeros(len(cells), dtype=bool))
        numbers = np.asarray(cells, dtype=np.float64)
        if np.isnan(numbers).any() or (np.abs(numbers) > EXACT).any():
            return None  # a missing cell, or a whole number beyond what Arrow reads as one
        return of_numbers(name, "number", numbers.copy(), np.zeros(len(cells), dtype=bool))
    return None


def _are_codes(texts: pa.Array) -> bool:
    """Say whether some whole numbers have leading zeros, as postal codes have."""
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
