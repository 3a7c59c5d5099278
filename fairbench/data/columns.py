"""Columns as numbers or categories, over all rows of a table."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from fairbench.errors import visible

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

    from fairbench.dataset import FloatArray, IntArray

    BoolArray = NDArray[np.bool_]
    TextArray = NDArray[np.object_]

__all__ = ["EXACT", "Column", "as_category", "of_integers", "of_numbers", "of_texts", "spread_over"]

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
        """Say whether the column holds texts."""
        return self.kind == "text"

    @property
    def values(self) -> FloatArray | TextArray:
        """(n,) float, NaN where missing; or (n,) object, "" where missing."""
        if not self.is_text:
            return self.numbers
        texts: TextArray = np.append(self.levels, "")[self.codes]
        return texts

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
    return replace(of_texts(column.name, pa.array(texts, pa.string()), codes), read=column.read)


def of_numbers(
    name: str,
    kind: Literal["number", "boolean", "date"],
    numbers: FloatArray,
    missing: BoolArray,
) -> Column:
    nothing = np.empty(0, dtype=np.int64)
    return Column(name, kind, missing, numbers, nothing, np.empty(0, dtype=object), nothing)


def of_integers(name: str, integers: IntArray | list[int], missing: BoolArray) -> Column:
    """Whole numbers; those that float64 would make equal are counted from the smallest."""
    cells = np.array(integers, dtype=object) if isinstance(integers, list) else integers
    present = cells[~missing]
    low, high = (int(present.min()), int(present.max())) if len(present) else (0, 0)
    beyond = max(abs(low), abs(high)) > EXACT
    counted = beyond and high - low <= EXACT
    numbers = (cells - low if counted else cells).astype(np.float64)
    numbers[missing] = np.nan
    column = of_numbers(name, "number", numbers, missing)
    if not beyond:
        return column
    read = f"whole numbers beyond 2⁵³, counted from {low}" if counted else ""
    return replace(column, exact=cells, read=read)


def of_texts(name: str, texts: pa.Array, codes: IntArray) -> Column:
    """A column of texts: `codes` of cells into `texts`, which may hold one text twice."""
    shown = np.array([visible(text) for text in texts.to_pylist()], dtype=object)
    levels, merged = np.unique(shown, return_inverse=True)
    codes = np.append(merged.astype(np.int64), -1)[codes]
    return Column(name, "text", codes < 0, np.empty(0), codes, levels, np.empty(0, dtype=np.int64))


def spread_over(values: Column, codes: IntArray, missing: BoolArray) -> Column:
    """A column over cells from one over its different texts."""
    exact = np.append(values.exact, 0)[codes] if len(values.exact) else values.exact
    return replace(
        values, missing=missing, numbers=np.append(values.numbers, np.nan)[codes], exact=exact
    )


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
