"""Rows of a dataset under one split, filled in and scaled by what training rows say."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import numpy as np

    from fairbench.dataset import Dataset, FloatArray, IntArray, Protected

__all__ = ["Fold", "Part", "Split"]

Part = Literal["train", "validation", "test"]


@dataclass(frozen=True)
class Split:
    """Row numbers of the three parts, each sorted; together every row at most once.

    Under a protocol that selects on test, `validation` may be empty, or be `test` itself where
    training is stopped by looking at it; the run folder then keeps these rows as test only.
    """

    train: IntArray
    validation: IntArray
    test: IntArray

    def __getitem__(self, part: Part, /) -> IntArray:
        match part:
            case "train":
                return self.train
            case "validation":
                return self.validation
            case "test":
                return self.test


@dataclass(frozen=True)
class Fold:
    """A dataset under one split, filled in and scaled by its training rows only.

    Without `scale_targets` the targets stay in their own units. `weights` are those of the
    training rows, with mean 1, or None for rows that count alike; only methods that say
    `takes_weights` are given any.
    """

    dataset: Dataset
    split: Split
    scale_targets: bool = True
    weights: FloatArray | None = None

    @cached_property
    def _fill(self) -> FloatArray:
        return self.dataset.fill(self.split.train)

    @cached_property
    def _feature_scale(self) -> tuple[FloatArray, FloatArray]:
        return _moments(self.dataset.filled(self.split.train, self._fill))

    @cached_property
    def _target_scale(self) -> tuple[FloatArray, FloatArray]:
        moments = _moments(self.dataset.targets[self.split.train])
        return moments if self.scale_targets else (0 * moments[0], 0 * moments[1] + 1)

    def features(self, part: Part, /) -> FloatArray:
        """Features (rows, d), each with mean 0 and standard deviation 1 on training rows.

        Missing ones are filled in before with what training rows say: see `Dataset.fill`.
        """
        return self.features_of(self.split[part])

    def features_of(self, rows: IntArray, /) -> FloatArray:
        """Features of any rows of the dataset, filled in and scaled as those of the parts are."""
        mean, scale = self._feature_scale
        return (self.dataset.filled(rows, self._fill) - mean) / scale

    def filled(self) -> FloatArray:
        """Features of all rows in their own units, filled in by training rows."""
        import numpy as np

        return self.dataset.filled(np.arange(self.dataset.rows), self._fill)

    def targets(self, part: Part, /) -> FloatArray:
        """Targets (rows, t), standardised likewise unless they stay in their own units."""
        mean, scale = self._target_scale
        return (self.dataset.targets[self.split[part]] - mean) / scale

    def unscale(self, prediction: FloatArray, /) -> FloatArray:
        """Predictions (..., t) of such targets in the targets' own units."""
        mean, scale = self._target_scale
        return prediction * scale + mean

    def protected(self, part: Part, /, index: int = 0) -> Protected:
        """Protected attribute `index` on the rows of `part`, in its own units."""
        return self.dataset.protected[index].rows(self.split[part])

    def protected_scale(self, index: int = 0, /) -> tuple[float, float]:
        """Mean and standard deviation of attribute `index` on training rows."""
        values = self.dataset.protected[index].values[self.split.train, None]
        mean, scale = _moments(values)
        return float(mean[0]), float(scale[0])

    def target_scale(self) -> tuple[FloatArray, FloatArray]:
        """Mean and standard deviation (t,) of the targets, as `unscale` uses them."""
        return self._target_scale

    def constant_features(self) -> np.ndarray:
        """Which features (d,) are constant on training rows but for rounding, and not scaled."""
        return _constant(self.dataset.features[self.split.train])


_ROUNDING = 8 * 2.0**-52
"""Range of a column, as a share of its largest value, that sums of a few terms give by rounding."""

_FAR = 1e-6
"""Standard deviation, as a share of the largest value, below which sums lose digits of it."""


def _constant(train: FloatArray, /) -> np.ndarray:
    """Which columns of `train` (n, d) do not vary by more than rounding does.

    By range: the standard deviation of many equal numbers is not zero, it is rounding noise.
    """
    import numpy as np

    spread = train.max(axis=0) - train.min(axis=0)
    return np.asarray(spread <= _ROUNDING * np.abs(train).max(axis=0))


def _moments(train: FloatArray, /) -> tuple[FloatArray, FloatArray]:
    """Mean and standard deviation (d,) of columns; a constant column has its value, and 1.

    Of columns that lie far from zero for their spread, such as seconds since 1970, the moments
    are those of deviations from the first row, which hold every digit.
    """
    import numpy as np

    mean, scale = train.mean(axis=0), train.std(axis=0)
    far = scale < _FAR * np.abs(train).max(axis=0)
    if far.any():
        shifted = train[:, far] - train[0, far]
        mean[far], scale[far] = train[0, far] + shifted.mean(axis=0), shifted.std(axis=0)
    constant = _constant(train)
    return np.where(constant, train[0], mean), np.where(constant, 1.0, scale)
