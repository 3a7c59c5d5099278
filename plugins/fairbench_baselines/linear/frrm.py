"""frrm: the fair ridge regression model of Scutari, Panero and Proissl."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from scipy.optimize import brentq

from fairbench_baselines.linear.convex import solve
from fairbench_baselines.linear.decomposed import Decomposed, Parts

if TYPE_CHECKING:
    from fairbench.dataset import FloatArray

__all__ = ["FRRM"]


@dataclass(frozen=True)
class FRRM(Decomposed):
    """Shrinks the attribute's part Sα until it makes up the share r; the other part stays.

    Scutari, Panero and Proissl (2022), equations 8 to 10 [paper]. The part Ûβ does not depend
    on r, unlike in nclm.

    Parameters
    ----------
    shrink
        How α is shrunk where the attribute has several columns: ``ridge`` as in the paper, or
        ``scale``, which multiplies all of it by one number and has the least training error of
        all that meet the bound [derived]. For one column they are the same.
    """

    shrink: Literal["ridge", "scale"] = "ridge"

    def shrunk(self, parts: Parts, share: float, /) -> tuple[FloatArray, FloatArray]:
        factor = parts.factor(share)
        if factor >= 1 or self.shrink == "scale" or factor == 0:
            return min(factor, 1.0) * parts.alpha, parts.beta
        gram, slope = parts.s.T @ parts.s, parts.s.T @ parts.y
        identity = np.eye(len(gram))
        bound = factor**2 * parts.variances[0]

        def alpha(log_penalty: float) -> FloatArray:
            return solve(gram + np.exp(log_penalty) * identity, slope)

        def excess(log_penalty: float) -> float:
            return float(np.log(np.var(parts.s @ alpha(log_penalty)) / bound))

        size = np.log(np.trace(gram))
        found = brentq(excess, size - 40, size + 40, xtol=1e-12)
        return alpha(float(found)), parts.beta
