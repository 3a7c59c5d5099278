"""How much splits have in common, and what a mean over them is worth."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fairbench.dataset import FloatArray, IntArray
    from fairbench.fold import Split

__all__ = ["Overlap", "split_overlap"]

TRAINING_WEIGHT = 1 / 8
"""Part of two splits' correlation that goes by shared training rows; the rest, by test rows.

Two independent splits of 60 % training and 20 % test rows share those shares of their rows. With
this weight their correlation is 7/8 · 0.2 + 1/8 · 0.6 = 1/4, the n_test/(n_test + n_train) that
Nadeau and Bengio (2003) chose.
"""


@dataclass(frozen=True)
class Overlap:
    """What J splits of one dataset share, and the correction of a mean over them that follows.

    Values of splits (errors, disparities, differences) are taken to have one variance V and,
    two by two, the correlation ``ρ = 7/8 test + 1/8 training`` of what the splits share. With
    ρ̄, its mean over pairs of different splits, the sample variance s² has the mean V (1 − ρ̄)
    and the mean of the values the variance V (1/J + (1 − 1/J) ρ̄), hence

        s² (1/J + ρ̄ / (1 − ρ̄))

    estimates the latter without bias, as far as ρ is right: no estimator is unbiased for all
    learners (Bengio and Grandvalet 2004, No unbiased estimator of the variance of k-fold
    cross-validation). For independent random splits this is the correction of Nadeau and Bengio
    (2003, Inference for the generalization error, eq. 12). Within a rotation of folds test sets
    are disjoint, which that correction, and Bouckaert and Frank's (2004) for repeated
    cross-validation, does not use; where test sets are repeated it does not notice.

    Attributes
    ----------
    test, training : (J, J) float
        Rows two splits share, over the geometric mean of how many each has: 1 for equal sets.
    test_sets : (J,) int
        Equal numbers for equal test sets.
    """

    test: FloatArray
    training: FloatArray
    test_sets: IntArray

    @property
    def splits(self) -> int:
        """J."""
        return len(self.test_sets)

    @cached_property
    def distinct(self) -> int:
        """Number of different test sets."""
        return len(np.unique(self.test_sets))

    @property
    def mean_test(self) -> float:
        """Mean share of test rows that two different splits have in common; 0 for one split."""
        return _between(self.test)

    @property
    def mean_training(self) -> float:
        """The same of training rows."""
        return _between(self.training)

    @cached_property
    def correlation(self) -> FloatArray:
        """Presumed correlation (J, J) of the splits' values."""
        return (1 - TRAINING_WEIGHT) * self.test + TRAINING_WEIGHT * self.training

    @cached_property
    def ratio(self) -> float:
        """ρ̄ / (1 − ρ̄), to be added to 1/J; infinite where all splits are one."""
        shared = _between(self.correlation)
        return shared / (1 - shared) if shared < 1 - 1e-9 else float("inf")

    @cached_property
    def df(self) -> float:
        """Degrees of freedom of s²: at most J − 1, and d − 1 where d splits are each repeated.

        Satterthwaite's (1946): tr(CR)² / tr(CRCR) with R the correlation and C the projection
        that takes out the mean. 0 where all splits are one.
        """
        centred = self.correlation - self.correlation.mean(axis=0)
        centred -= centred.mean(axis=1, keepdims=True)
        squares = float(np.square(centred).sum())
        return float(np.trace(centred)) ** 2 / squares if squares > 1e-12 else 0.0

    def of(self, index: IntArray, /) -> Overlap:
        """The overlap of the splits of these numbers only."""
        square = np.ix_(index, index)
        return Overlap(self.test[square], self.training[square], self.test_sets[index])


def split_overlap(splits: Sequence[Split], /) -> Overlap:
    """What `splits` share, counted in rows."""
    held_out = [split.test for split in splits]
    kinds: dict[bytes, int] = {}
    numbers = [kinds.setdefault(rows.tobytes(), len(kinds)) for rows in held_out]
    return Overlap(_shared(held_out), _shared([split.train for split in splits]), np.array(numbers))


def _shared(parts: Sequence[IntArray]) -> FloatArray:
    """Rows (J, J) that parts have in common, over the geometric mean of their sizes."""
    members = np.zeros((len(parts), 1 + max(int(part.max()) for part in parts)), dtype=np.float32)
    for number, part in enumerate(parts):
        members[number, part] = 1.0  # float32 counts to 2²⁴, and is what BLAS multiplies fast
    size = np.array([len(part) for part in parts], dtype=np.float64)
    return (members @ members.T).astype(np.float64) / np.sqrt(np.outer(size, size))


def _between(square: FloatArray) -> float:
    """Mean of a matrix (J, J) outside its diagonal; 0 for J = 1."""
    pairs = len(square) * (len(square) - 1)
    return float(square.sum() - np.trace(square)) / pairs if pairs else 0.0
