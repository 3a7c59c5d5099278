"""Cells that a file or a data frame stores as numbers, booleans or times."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from fairbench.data.columns import Column, of_integers, of_numbers
from fairbench.data.notation import DAY

if TYPE_CHECKING:
    import pyarrow as pa

    from fairbench.dataset import FloatArray

__all__ = ["holds_text", "typed"]


def holds_text(kind: pa.DataType) -> bool:
    import pyarrow as pa

    return bool(
        pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)
    )


def typed(name: str, array: pa.ChunkedArray) -> Column | None:
    """Cells that are stored as numbers, booleans or times; None where they are none."""
    import pyarrow as pa
    import pyarrow.compute as pc

    kind, types = array.type, pa.types
    missing = np.asarray(pc.is_null(array), dtype=bool)
    if types.is_null(kind):
        return of_numbers(name, "number", np.full(len(array), np.nan), missing)
    if types.is_boolean(kind):
        return of_numbers(name, "boolean", _filled(pc.cast(array, pa.int8()), np.nan), missing)
    if types.is_integer(kind) and not types.is_uint64(kind):
        integers = np.asarray(pc.fill_null(pc.cast(array, pa.int64()), 0), dtype=np.int64)
        return of_integers(name, integers, missing)
    if types.is_uint64(kind):
        return of_integers(name, pc.fill_null(array, 0).to_pylist(), missing)
    if types.is_floating(kind):
        numbers = _filled(pc.cast(array, pa.float64()), np.nan)
        return of_numbers(name, "number", numbers, missing | np.isnan(numbers))
    if types.is_date(kind) or types.is_timestamp(kind):
        moments = pc.cast(pc.cast(array, pa.timestamp("us", tz=getattr(kind, "tz", None)),
                                  safe=False), pa.int64())  # fmt: skip
        days = _filled(moments, np.nan) / DAY
        return replace(of_numbers(name, "date", days, missing), read="dates as days since 1970")
    if types.is_duration(kind):
        spans = pc.cast(pc.cast(array, pa.duration("us"), safe=False), pa.int64())
        days = _filled(spans, np.nan) / DAY
        return replace(of_numbers(name, "number", days, missing), read="durations in days")
    return None


def _filled(array: pa.ChunkedArray, value: float) -> FloatArray:
    import pyarrow as pa
    import pyarrow.compute as pc

    filled = pc.fill_null(pc.cast(array, pa.float64(), safe=False), value)
    return np.array(filled, dtype=np.float64)  # a copy: what Arrow holds cannot be written to
