"""Sums over pairs of rows in O(n log² n), for many trials at once: a merge sort laid bare."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from fairbench.dataset import IntArray


def merges(ranks: IntArray, /) -> Iterator[tuple[IntArray, IntArray, NDArray[np.bool_]]]:
    """The levels of a merge sort by `ranks`, at which every pair of rows meets exactly once.

    Parameters
    ----------
    ranks : (S, n) int
        Permutations of 0 … n−1 over rows in some order, called their places.

    Yields
    ------
    place, rank : (S, blocks, width) int
        Rows of each block of adjacent places, in the order of their ranks. Rows that pad the
        last block have places and ranks from n on, so that they come last.
    right : (S, blocks, width) bool
        Whether the row is of the block's right half. A left row and a right row of one block
        meet here: the places of the left are the lower ones.
    """
    trials, n = ranks.shape
    bits = max(1, (n - 1).bit_length())
    packed = (ranks << bits) | np.arange(n)
    for level in range(bits):
        # Only the last block is padded, so that the levels cost little more than n rows each.
        packed = _padded(packed, 2 << level, bits).reshape(trials, -1, 2 << level)
        packed = np.sort(packed, axis=-1)
        place = packed & ((1 << bits) - 1)
        yield place, packed >> bits, (place >> level) & 1 == 1
        packed = packed.reshape(trials, -1)


def _padded(packed: IntArray, width: int, bits: int) -> IntArray:
    """`packed` (S, m) with padding rows up to a multiple of `width`."""
    m = packed.shape[1]
    places = np.arange(m, -(-m // width) * width)
    if not places.size:
        return packed
    padding = np.broadcast_to((places << bits) | places, (len(packed), places.size))
    return np.concatenate([packed, padding], axis=1)
