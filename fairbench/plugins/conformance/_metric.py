"""Properties of every metric."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np

from fairbench.dataset import Protected
from fairbench.neighbours import Neighbours, nearest
from fairbench.plugins.conformance._base import Conformance
from fairbench.plugins.registry import load

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from fairbench.dataset import FloatArray, ProtectedKind

    Third = Protected | Neighbours
    Takes = ProtectedKind | Literal["individual"]

__all__ = ["MetricConformance"]


class MetricConformance(Conformance):
    """A metric is a pure function of rows in any order, vectorised over trials.

    Attributes
    ----------
    takes
        Kinds of protected attribute (or ``individual``) to try; of an installed metric, those
        it describes.
    rows
        Number of rows to try it on, in groups of at least a quarter of them.
    """

    kind = "metric"
    takes: ClassVar[tuple[Takes, ...]] = ("binary", "categorical", "continuous")
    rows: ClassVar[int] = 240

    def test_gives_one_number_per_trial(self) -> None:
        metric = self.make()
        for prediction, target, protected in self._cases():
            for shape in ((), (5,), (2, 3)):
                stacked = np.broadcast_to(prediction[0], (*shape, self.rows)).copy()
                value = np.asarray(metric(stacked, target, protected))
                assert value.shape == shape, (
                    f"predictions {stacked.shape} give values {value.shape}, not {shape}"
                )
                assert value.dtype.kind == "f", f"values are {value.dtype}, not floats"
                assert np.isfinite(value).all(), f"{value} on {protected.kind} groups"

    def test_is_pure(self) -> None:
        metric = self.make()
        for prediction, target, protected in self._cases():
            inputs = (prediction, target, *_arrays(protected))
            before = [array.copy() for array in inputs]
            first = np.array(metric(prediction, target, protected))
            second = np.array(metric(prediction, target, protected))
            assert first.tobytes() == second.tobytes(), "a second call gives other values"
            for array, copy in zip(inputs, before, strict=True):
                assert array.tobytes() == copy.tobytes(), "the metric changes its inputs"

    def test_vectorised_equals_one_by_one(self) -> None:
        metric = self.make()
        for prediction, target, protected in self._cases():
            together = metric(prediction, target, protected)
            alone = [metric(one, target, protected) for one in prediction]
            np.testing.assert_allclose(together, alone, rtol=1e-9, atol=1e-12)

    def test_order_of_rows_does_not_matter(self) -> None:
        metric = self.make()
        for prediction, target, protected in self._cases():
            order = np.random.default_rng(1).permutation(self.rows)
            shuffled = metric(prediction[:, order], target[order], protected.rows(order))
            straight = metric(prediction, target, protected)
            np.testing.assert_allclose(shuffled, straight, rtol=1e-9, atol=1e-12)

    def test_tells_predictions_apart(self) -> None:
        metric = self.make()
        for prediction, target, protected in self._cases():
            values = np.asarray(metric(prediction, target, protected))
            assert np.ptp(values) > 0, "very different predictions all have the same value"

    def _cases(self) -> list[tuple[FloatArray, FloatArray, Third]]:
        """Predictions (4, n) from good to bad, targets (n,) and an attribute, per kind."""
        takes = self.takes
        if isinstance(name := type(self).component, str):
            takes = load().find("metric", name).description.takes  # type: ignore[attr-defined]
        return [self._case(kind) for kind in takes]

    def _case(self, kind: Takes) -> tuple[FloatArray, FloatArray, Third]:
        rng = np.random.default_rng(0)
        labels = ("a", "b", "c") if kind == "categorical" else ("a", "b")
        groups = rng.permutation(np.arange(self.rows) % len(labels)).astype(np.int64)
        values = groups + (rng.uniform(size=self.rows) if kind == "continuous" else 0.0)
        target = rng.normal(20.0, 5.0, self.rows) + 2.0 * groups
        # The error's spread and shift grow with the trial, more for one group than another.
        size = np.array([0.25, 0.5, 0.75, 1.25])[:, None]
        error = rng.normal(size=self.rows) * (1.0 + groups) + groups
        if kind == "individual":
            return target + size * error, target, nearest(target[:, None])
        protected = Protected("group", kind, values.astype(np.float64), groups, labels)
        return target + size * error, target, protected


def _arrays(third: Third) -> tuple[NDArray[np.generic], ...]:
    if isinstance(third, Neighbours):
        return tuple(third.arrays().values())
    return third.values, third.groups
