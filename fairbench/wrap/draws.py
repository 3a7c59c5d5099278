"""Random numbers that belong to rows: predicting a row twice, or alone, draws the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from fairbench.dataset import FloatArray, IntArray

__all__ = ["uniforms"]

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


def uniforms(seed: int, rows: IntArray, /) -> FloatArray:
    """One number (n,) in [0, 1) for every row number, a function of `seed` and that number alone.

    The finaliser of SplitMix64 (Steele, Lea, Flood 2014), applied twice, so that neighbouring
    rows and neighbouring seeds have unrelated numbers.
    """
    start = _mixed(np.array([seed], dtype=np.uint64))
    mixed = _mixed(start + (rows.astype(np.uint64) + np.uint64(1)) * _GOLDEN)
    return (_mixed(mixed) >> np.uint64(11)).astype(np.float64) * 2.0**-53


def _mixed(x: np.ndarray) -> np.ndarray:
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed: np.ndarray = x ^ (x >> np.uint64(31))
    return mixed
