"""Arrays on disk: compact, and without the loss of a single bit."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from fairbench.dataset import FloatArray

__all__ = ["Units", "loaded", "npz", "packed", "stacked", "unpacked"]

Units = tuple["FloatArray", "FloatArray"]
"""Mean and scale (t,) of standardised targets."""

_LEVEL = 1
"""Of deflate: 1 % larger than level 6 on byte planes, in a third of the time."""


def npz(arrays: Mapping[str, np.ndarray], /) -> bytes:
    """`arrays` as an npz archive; equal arrays give equal bytes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=_LEVEL) as archive:
        for name, array in arrays.items():
            entry = io.BytesIO()
            np.lib.format.write_array(entry, np.asarray(array), allow_pickle=False)
            # A ZipInfo of its own: its date is 1980, not now.
            about = zipfile.ZipInfo(f"{name}.npy")
            archive.writestr(about, entry.getvalue(), zipfile.ZIP_DEFLATED, _LEVEL)
    return buffer.getvalue()


def loaded(content: bytes, /) -> dict[str, np.ndarray]:
    """The arrays of an npz archive whose bytes have been found to be those that were written."""
    with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
        return dict(arrays)


def packed(parts: Mapping[str, FloatArray], units: Units | None, /) -> dict[str, np.ndarray]:
    """Predictions (S, n, t) by part in the form that is stored; `unpacked` undoes it exactly.

    A network computes in single precision and in standardised units. Its predictions are stored
    as that: 4 bytes a number, with mean and scale in double precision beside them. Wherever the
    way back does not give the same bits, double precision is stored instead. Bytes are stored
    by their place in the number (all first bytes, all second ones …), because signs and exponents
    compress and the rest does not.

    Parameters
    ----------
    units
        Mean and scale of the targets; None where they are not known.
    """
    width = next(iter(parts.values())).shape[-1]
    own: Units = (np.zeros(width), np.ones(width))
    for mean, scale in (own, *([units] if units else [])):
        single = {name: _single(array, mean, scale) for name, array in parts.items()}
        if all(array is not None for array in single.values()):
            planes = {name: _planes(array) for name, array in single.items() if array is not None}
            return {**planes, "mean": mean, "scale": scale}
    return {name: _planes(array.astype("<f8")) for name, array in parts.items()}


def unpacked(arrays: Mapping[str, np.ndarray], name: str, /) -> FloatArray:
    """Predictions (S, n, t) of the part `name`, bit by bit what `packed` was given."""
    planes = arrays[name]
    numbers = np.ascontiguousarray(np.moveaxis(planes, 0, -1)).view(f"<f{len(planes)}")[..., 0]
    if "scale" not in arrays:
        return numbers.astype(np.float64)
    return _scaled(numbers, arrays["mean"], arrays["scale"])


def _single(array: FloatArray, mean: FloatArray, scale: FloatArray) -> np.ndarray | None:
    """`array` standardised in single precision; None where that is not all of it."""
    with np.errstate(all="ignore"):  # what overflows does not come back, and is noticed so
        single = ((array - mean) / scale).astype("<f4")
        back = _scaled(single, mean, scale)
    same = np.array_equal(back.view(np.uint64), np.ascontiguousarray(array).view(np.uint64))
    return single if same else None


def _scaled(single: np.ndarray, mean: FloatArray, scale: FloatArray) -> FloatArray:
    """As `fairbench.fold.Fold.unscale` computes it, operation by operation."""
    found: FloatArray = single.astype(np.float64) * scale + mean
    return found


def _planes(array: np.ndarray) -> np.ndarray:
    """Bytes (itemsize, S, n, t) of `array` (S, n, t)."""
    octets = np.ascontiguousarray(array)[..., None].view(np.uint8)
    return np.ascontiguousarray(np.moveaxis(octets, -1, 0))


def stacked(records: Sequence[np.ndarray | None], /) -> np.ndarray:
    """Records of all trials; NaN for those that recorded nothing."""
    shape = next(np.shape(record) for record in records if record is not None)
    return np.stack([np.full(shape, np.nan) if r is None else np.asarray(r) for r in records])
