"""Trees that are fitted with the groups in view."""

from __future__ import annotations

from fairbench.facts import Facts
from fairbench.plugins import MethodDescription

__all__ = ["DESCRIPTIONS"]

_TRAINS = Facts("no", "labels")

DESCRIPTIONS = (
    MethodDescription(
        name="fair-gbm",
        summary="Boosted trees with a penalty on the variance of the groups' mean predictions",
        target="fairbench_baselines.trees.fair_gbm:FairGBM",
        citation="After Cruz, Belém, Jesus, Bravo, Saleiro, Bizarro (ICLR 2023)",
        facts=_TRAINS,
    ),
    MethodDescription(
        name="fair-forest",
        summary="A random forest whose leaves' values are moved until group means are nearer",
        target="fairbench_baselines.trees.fair_forest:FairForest",
        facts=_TRAINS,
    ),
)
