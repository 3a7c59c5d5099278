"""Writes C++ in which every number of a small tensor is a variable of its own."""

from __future__ import annotations

import math
from functools import reduce
from typing import Any

import numpy as np

__all__ = ["UntranslatableError", "Values", "Writer", "axes_of"]

MOST_LINES = 5_000
"""Beyond these a compiler takes longer than it saves."""

Values = np.ndarray
"""Of an array's shape, the C++ expression of every number."""


class UntranslatableError(Exception):
    """A rule has no translation and stays with torch; the message says why."""


def axes_of(values: Values, dims: Any) -> tuple[int, ...]:
    """Return dimensions counted from 0; all of them for None or an empty list."""
    if dims is None or dims == []:
        return tuple(range(values.ndim))
    chosen = [dims] if isinstance(dims, int) else dims
    return tuple(sorted(axis % values.ndim for axis in chosen)) if values.ndim else ()


class Writer:
    """A function's statements, each of which names one number.

    Attributes
    ----------
    lines
        The statements so far.
    number
        The C++ type of constants: ``float`` or ``double``.
    """

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.number = "float"

    def emit(self, expression: str, /) -> str:
        """Write a statement, and return the name of the value of `expression`."""
        if len(self.lines) >= MOST_LINES:
            raise UntranslatableError(f"it takes more than {MOST_LINES} lines")
        name = f"v{len(self.lines)}"
        self.lines.append(f"const auto {name} = {expression};")
        return name

    def literal(self, number: Any, /) -> str:
        """Return a number as a C++ constant."""
        if isinstance(number, bool):
            return "true" if number else "false"
        if not isinstance(number, (int, float)):
            raise UntranslatableError(f"a {type(number).__name__} among the numbers")
        if math.isnan(number):
            return "NOT_A_NUMBER"
        if math.isinf(number):
            return "INFINITE" if number > 0 else "(-INFINITE)"
        return f"{self.number}({float(number)!r})"

    def each(self, form: str, *arguments: Any) -> Values:
        """Write `form` for every position of the arguments, which are broadcast."""
        arrays = np.broadcast_arrays(*map(self._array, arguments))
        found = np.empty(arrays[0].shape, dtype=object)
        for place in np.ndindex(found.shape):
            found[place] = self.emit(form.format(*(array[place] for array in arrays)))
        return found

    def _array(self, argument: Any) -> Values:
        if isinstance(argument, np.ndarray):
            return argument
        return np.array(self.literal(argument), dtype=object)

    def fold(self, form: str, values: Values, dims: Any, keepdim: bool = False) -> Values:
        """Write `form` from left to right over these dimensions; all for None or an empty list."""
        axes = axes_of(values, dims)
        kept = [axis for axis in range(values.ndim) if axis not in axes]
        flat = values.transpose([*kept, *axes]).reshape(*(values.shape[a] for a in kept), -1)
        found = np.empty(flat.shape[:-1], dtype=object)
        for place in np.ndindex(found.shape):
            found[place] = reduce(lambda a, b: self.emit(form.format(a, b)), flat[place])
        return np.expand_dims(found, axes) if keepdim else found
