"""Tables as read: named columns of numbers or text, whose rows messages can point at."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from decimal import Decimal
from numbers import Real
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from fairbench.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    import pandas as pd
    from numpy.typing import NDArray

    from fairbench.dataset import FloatArray, IntArray

    BoolArray = NDArray[np.bool_]
    TextArray = NDArray[np.object_]

__all__ = [
    "Column",
    "FrameTable",
    "Table",
    "TextTable",
    "check_names",
    "is_table_file",
    "number",
    "text_floats",
]

SUFFIXES = frozenset({".csv", ".tsv", ".parquet", ".pq"})
MISSING = frozenset({"", "?", "na", "n/a", "#n/a", "nan", "null"})
"""Cells of a text file that stand for no value, in lower case."""
SHOWN = 3
"""How many bad rows a message lists."""


def is_table_file(name: str, /) -> bool:
    """Whether `name` means a user's file: by its suffix, or because such a file exists."""
    return Path(name).suffix.lower() in SUFFIXES or Path(name).is_file()


@dataclass(frozen=True, slots=True)
class Column:
    """One column over all rows of its table.

    Attributes
    ----------
    values : (n,) float or (n,) object
        Numbers (NaN where missing), or texts ("" where missing).
    missing : (n,) bool
        Cells without a value.
    """

    name: str
    values: FloatArray | TextArray
    missing: BoolArray

    @property
    def is_text(self) -> bool:
        """Whether `values` are texts."""
        return self.values.dtype == object


class Table(ABC):
    """Columns by name; `where` and `row` say in messages what was read."""

    names: tuple[str, ...]
    rows: int
    where: str

    @abstractmethod
    def column(self, name: str, /) -> Column:
        """The column as numbers where every value of it is one, as text otherwise."""

    @abstractmethod
    def codes(self, name: str, /) -> tuple[IntArray, BoolArray]:
        """Equal numbers from 0 for equal cells, and which cells are missing, (n,) each."""

    @abstractmethod
    def row(self, index: int, /) -> str:
        """How a reader finds the row in the file: ``line 7``."""

    def show(self, rows: Iterable[int], cell: Callable[[int], str] | None = None) -> str:
        """The first of `rows`, with what `cell` says of each, and how many more there are."""
        indices = list(rows)
        shown = [self.row(i) + (f": {_short(cell(i))}" if cell else "") for i in indices[:SHOWN]]
        more = len(indices) - SHOWN
        return ", ".join(shown) + (f" and {more} more" if more > 0 else "")


class TextTable(Table):
    """A table of texts, as a CSV file is; `lines` are the lines its rows start on."""

    def __init__(
        self, where: str, names: Sequence[str], rows: Sequence[Sequence[str]], lines: Sequence[int]
    ) -> None:
        self.where = where
        self.names = tuple(names)
        self.rows = len(rows)
        self._cells = dict(zip(names, zip(*rows, strict=True), strict=True))
        self._lines = lines

    def column(self, name: str, /) -> Column:
        cells = [cell.strip() for cell in self._cells[name]]
        missing = self._missing(cells)
        numbers = text_floats(cells, missing)
        if np.isnan(numbers[~missing]).any():
            texts = np.array(
                ["" if gone else c for c, gone in zip(cells, missing, strict=True)], dtype=object
            )
            return Column(name, texts, missing)
        return Column(name, numbers, missing)

    def codes(self, name: str, /) -> tuple[IntArray, BoolArray]:
        cells = [cell.strip() for cell in self._cells[name]]
        seen: dict[str, int] = {}
        codes = [seen.setdefault(cell, len(seen)) for cell in cells]
        return np.array(codes, dtype=np.int64), self._missing(cells)

    def row(self, index: int, /) -> str:
        return f"line {self._lines[index]}"

    @staticmethod
    def _missing(cells: Iterable[str]) -> BoolArray:
        return np.array([cell.lower() in MISSING for cell in cells], dtype=bool)


class FrameTable(Table):
    """A data frame, as a dataset plugin or a Parquet file gives it."""

    def __init__(self, where: str, frame: pd.DataFrame) -> None:
        check_names([str(name) for name in frame.columns], where)
        self.where = where
        self._frame = frame.set_axis([str(name) for name in frame.columns], axis=1)
        self.names = tuple(self._frame.columns)
        self.rows = len(frame)

    def column(self, name: str, /) -> Column:
        import pandas as pd

        series = self._frame[name]
        missing = series.isna().to_numpy(dtype=bool)
        if series.dtype.kind in "biuf":
            return Column(name, series.to_numpy(dtype=np.float64, na_value=np.nan), missing)
        if series.dtype.kind not in "OUT" and not isinstance(series.dtype, pd.CategoricalDtype):
            raise self._unusable(name, str(series.dtype))
        cells = series.to_numpy(dtype=object)
        kinds = {type(cell) for cell in cells[~missing]}
        if all(issubclass(kind, (Real, Decimal, np.bool_)) for kind in kinds):
            values = [np.nan if gone else _real(c) for c, gone in zip(cells, missing, strict=True)]
            return Column(name, np.array(values, dtype=np.float64), missing)
        if not all(issubclass(kind, str) for kind in kinds):
            raise self._unusable(name, " and ".join(sorted(kind.__name__ for kind in kinds)))
        texts = ["" if gone else c.strip() for c, gone in zip(cells, missing, strict=True)]
        return Column(name, np.array(texts, dtype=object), missing)

    def codes(self, name: str, /) -> tuple[IntArray, BoolArray]:
        import pandas as pd

        try:
            codes, _ = pd.factorize(self._frame[name])
        except TypeError as error:  # cells without a hash: lists, dictionaries
            raise self._unusable(name, "cells that cannot be compared") from error
        return codes.astype(np.int64), codes < 0

    def row(self, index: int, /) -> str:
        return f"row {index + 1}"

    def _unusable(self, name: str, what: str) -> DataError:
        return DataError(
            f"column {name!r} holds {what}: neither numbers nor text",
            where=self.where,
            mend=f"convert it, or leave it out with --features=-{name}",
        )


def check_names(names: Sequence[str], where: str) -> None:
    """Refuse columns without a name and names that stand twice."""
    for position, name in enumerate(names, start=1):
        if not name.strip():
            raise DataError(
                f"column {position} has no name",
                where=where,
                mend="name every column; a row index written along is best left out",
            )
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise DataError(
            f"column name {twice[0]!r} stands {names.count(twice[0])} times",
            where=where,
            mend="give every column its own name",
        )


def number(cell: str) -> float | None:
    """`cell` as a number with a decimal point, correctly rounded; None where it is none."""
    if "_" in cell:  # Python's digit grouping, no notation of data files
        return None
    try:
        return float(cell)
    except ValueError:
        return None


def text_floats(cells: Iterable[str], missing: Iterable[bool]) -> FloatArray:
    """(n,) float: each cell as a number, NaN where it is missing or none."""
    parsed = (None if gone else number(c) for c, gone in zip(cells, missing, strict=True))
    return np.array([np.nan if value is None else value for value in parsed], dtype=np.float64)


def _real(cell: Real | Decimal) -> float:
    try:
        return float(cell)
    except OverflowError:  # an integer beyond float64
        return float("inf")


def _short(text: str) -> str:
    return text if len(text) <= 40 else text[:37] + "…'"
