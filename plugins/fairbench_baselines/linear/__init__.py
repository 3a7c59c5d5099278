"""Linear methods in closed form: fast and exact, anchors for everything trained by steps."""

from __future__ import annotations

from fairbench.facts import Facts
from fairbench.plugins import MethodDescription

__all__ = ["DESCRIPTIONS"]

_TRAINS = Facts("no", "labels")
_READS = Facts("yes", "labels")

DESCRIPTIONS = (
    MethodDescription(
        name="mean-gap-ridge",
        summary="Ridge regression with a penalty on the variance of the groups' mean predictions",
        target="fairbench_baselines.linear.mean_gap_ridge:MeanGapRidge",
        facts=_TRAINS,
    ),
    MethodDescription(
        name="equal-means",
        summary="Ridge regression whose groups' mean predictions are constrained to be equal",
        target="fairbench_baselines.linear.equal_means:EqualMeans",
        citation="Calders, Karim, Kamiran, Ali, Zhang (ICDM 2013)",
        facts=_TRAINS,
    ),
    MethodDescription(
        name="frrm",
        summary="Ridge regression in which the attribute explains at most a share r of predictions",
        target="fairbench_baselines.linear.frrm:FRRM",
        citation="Scutari, Panero, Proissl (Statistics and Computing 2022)",
        facts=_READS,
    ),
    MethodDescription(
        name="nclm",
        summary="The linear model of least error whose attribute explains at most a share r",
        target="fairbench_baselines.linear.nclm:NCLM",
        citation="Komiyama, Takeda, Honda, Shimao (ICML 2018)",
        facts=_READS,
    ),
    MethodDescription(
        name="multi-task-fair-linear",
        summary="Groups as tasks: shared and own linear parts, equal mean predictions",
        target="fairbench_baselines.linear.multi_task_fair:MultiTaskFair",
        citation="Oneto, Donini, Elders, Pontil (AIES 2019)",
        facts=Facts("predicted", "labels"),
    ),
)
