"""fair-forest: a random forest whose leaves are given other values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from annotated_types import Ge, Gt, Le
from scipy.sparse import csr_array
from scipy.sparse.linalg import LinearOperator, cg

from fairbench.facts import Facts
from fairbench.method import Prediction, Sweep, Tradeoff, Trial, Work
from fairbench.seeds import initial_seed
from fairbench.wrap import attributes_of, sensitive

if TYPE_CHECKING:
    from fairbench.dataset import FloatArray
    from fairbench.fold import Fold, Part
    from fairbench.training import Training

__all__ = ["FairForest"]

GRID = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98)
RIDGE = 1e-4
"""γ: how much leaving a leaf's value costs by itself."""


@dataclass(frozen=True)
class FairForest(Sweep):
    """Trees are kept; leaves' values w minimise MSE to the forest + λ Var(E[Zw | z]) + γ‖w − w₀‖².

    Z says which leaves a row falls in, divided by the number of trees, w₀ the forest's values and
    λ = t/(1 − t) [derived]. The variance is that of the groups' mean predictions, or of the linear
    fit on a continuous attribute. One solution serves the whole sweep: the gap shrinks by
    1/(1 + λR²), R² the share of the attribute's variance that the leaves explain.

    Parameters
    ----------
    trees
        Number of trees.
    leaf
        Fewest rows of a leaf.
    features
        Share of the features that each cut of a tree chooses from.
    attributes
        Protected attributes; by default the dataset's first. Of several the penalties add up.
    """

    trees: Annotated[int, Ge(1)] = 200
    leaf: Annotated[int, Ge(1)] = 3
    features: Annotated[float, Gt(0), Le(1)] = 1 / 3
    attributes: tuple[str, ...] = ()

    @property
    def facts(self) -> Facts:
        return Facts("no", "labels")

    @property
    def tradeoff(self) -> Tradeoff:
        return Tradeoff("t", GRID, 0.0, 0.999, "high")

    def check(self, fold: Fold, training: Training, /) -> None:
        attributes_of(fold, self.attributes)

    def begin(self, trial: Trial, work: Work, /) -> list[_Forest]:
        from sklearn.ensemble import RandomForestRegressor

        fold = work.fold
        x, seed = fold.features("train"), initial_seed(work.entropy, trial) % 2**32
        basis = np.linalg.qr(sensitive(fold, self.attributes)[fold.split.train])[0]
        return [
            _Forest.of(
                RandomForestRegressor(
                    self.trees,
                    min_samples_leaf=self.leaf,
                    max_features=self.features,
                    random_state=seed,
                ).fit(x, y),
                fold,
                basis,
            )
            for y in fold.targets("train").T
        ]

    def finish(self, begun: list[_Forest], trial: Trial, work: Work, /) -> Prediction:
        assert trial.value is not None
        penalty = trial.value / (1 - trial.value)

        def predict(part: Part) -> FloatArray:
            return work.fold.unscale(
                np.column_stack([forest.predict(part, penalty) for forest in begun])
            )

        return Prediction(predict("validation"), predict("test"))


@dataclass(frozen=True)
class _Forest:
    """What the forest of one target predicts, and how predictions move with the penalty.

    Attributes
    ----------
    plain, moves
        By part, predictions (n,) of the forest, and ZA⁻¹U (n, k).
    inner : (k, k)
        UᵀA⁻¹U.
    own : (k,)
        Uᵀw₀.
    """

    plain: dict[str, FloatArray]
    moves: dict[str, FloatArray]
    inner: FloatArray
    own: FloatArray

    @classmethod
    def of(cls, forest: Any, fold: Fold, basis: FloatArray, /) -> _Forest:
        sizes = [tree.tree_.node_count for tree in forest.estimators_]
        first = np.concatenate([[0], np.cumsum(sizes)[:-1]])
        values = np.concatenate([tree.tree_.value[:, 0, 0] for tree in forest.estimators_])
        x = fold.features("train")
        z = _membership(forest, x, first, len(values))
        n, k = basis.shape
        u = z.T @ basis / np.sqrt(n)
        matrix = LinearOperator(
            (len(values), len(values)),
            matvec=lambda w: z.T @ (z @ w) / n + RIDGE * w,
            dtype=np.float64,
        )
        solved = np.column_stack(
            [cg(matrix, u[:, j], rtol=1e-10, maxiter=5000)[0] for j in range(k)] or [u]
        )
        plain, moves = {}, {}
        for part in ("validation", "test"):
            here = fold.features(part)
            if len(here):
                plain[part] = forest.predict(here)
                moves[part] = _membership(forest, here, first, len(values)) @ solved
            else:
                plain[part], moves[part] = np.zeros(0), np.zeros((0, k))
        return cls(plain, moves, u.T @ solved, u.T @ values)

    def predict(self, part: Part, penalty: float, /) -> FloatArray:
        if penalty == 0:
            return self.plain[part]
        # Sherman, Morrison and Woodbury: w = w₀ − A⁻¹U(1/λ + UᵀA⁻¹U)⁻¹Uᵀw₀.
        identity = np.eye(len(self.own)) / penalty
        step = np.linalg.solve(identity + self.inner, self.own)
        return np.asarray(self.plain[part] - self.moves[part] @ step, dtype=np.float64)


def _membership(forest: Any, x: FloatArray, first: np.ndarray, nodes: int) -> csr_array:
    """Z (n, nodes of all trees): 1/trees where a row falls in a leaf."""
    leaves = forest.apply(x) + first
    trees = len(first)
    entries = np.full(leaves.size, 1 / trees)
    rows = np.arange(len(x)).repeat(trees)
    return csr_array((entries, (rows, leaves.ravel())), shape=(len(x), nodes))
