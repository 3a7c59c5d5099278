"""The cells of one column of a data frame, as an Arrow array."""

from __future__ import annotations

from decimal import Decimal
from numbers import Integral, Real
from typing import TYPE_CHECKING

import numpy as np

from fairbench.errors import DataError

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

__all__ = ["array_of", "unusable"]


def array_of(series: pd.Series, name: str, where: str) -> pa.ChunkedArray:
    """`series` with missing cells as null; numbers among texts are written out as texts.

    Raises
    ------
    DataError
        Where cells are neither numbers, dates nor text: lists, for example.
    """
    import pyarrow as pa

    try:
        array = pa.array(series, from_pandas=True)
    except (pa.ArrowException, OverflowError, TypeError, ValueError):
        cells = series.astype(object)
        missing = series.isna()
        array = pa.array(
            [
                None if gone else _text(cell, name, where)
                for cell, gone in zip(cells, missing, strict=True)
            ],
            pa.string(),
        )
    return array if isinstance(array, pa.ChunkedArray) else pa.chunked_array([array])


def unusable(name: str, what: str, where: str) -> DataError:
    """Return the error for a column that cannot be a feature, whatever is done."""
    return DataError(
        f"column {name!r} holds {what}: neither numbers, dates nor text",
        where=where,
        hint=f"convert it, or leave it out with --drop {name}",
    )


def _text(cell: object, name: str, where: str) -> str:
    if isinstance(cell, str):
        return cell
    if isinstance(cell, Integral | np.bool_):
        return _integer(int(cell))
    if isinstance(cell, Real | Decimal):
        return str(float(cell)) if isinstance(cell, Real) else str(cell)
    if hasattr(cell, "isoformat"):
        return str(cell.isoformat())
    raise unusable(name, f"cells of type {type(cell).__name__}", where)


def _integer(value: int) -> str:
    try:
        return str(value)
    except ValueError:  # more digits than Python writes
        return "inf" if value > 0 else "-inf"
