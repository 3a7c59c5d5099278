"""Baselines: what any claim of fairness has to be read against."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fairbench.facts import Facts
from fairbench.plugins import MethodDescription, hookimpl
from fairbench_baselines import linear, post, pre, reductions, trees

if TYPE_CHECKING:
    from collections.abc import Iterator

_LABELS = Facts("no", "labels")


@hookimpl
def fairbench_methods() -> Iterator[MethodDescription]:
    """Offer anchors, single-task, weighted multi-task networks and group-aware training."""
    yield from linear.DESCRIPTIONS
    yield from post.DESCRIPTIONS
    yield from pre.DESCRIPTIONS
    yield from reductions.DESCRIPTIONS
    yield from trees.DESCRIPTIONS
    yield MethodDescription(
        name="mean",
        summary="Predicts the mean of the training targets",
        target="fairbench_baselines.anchors:Mean",
    )
    yield MethodDescription(
        name="ridge",
        summary="Linear regression with a squared penalty",
        target="fairbench_baselines.anchors:Ridge",
    )
    yield MethodDescription(
        name="gradient-boosting",
        summary="Boosted regression trees",
        target="fairbench_baselines.anchors:GradientBoosting",
        citation="Friedman (2001): Greedy function approximation",
    )
    yield MethodDescription(
        name="random-forest",
        summary="The mean of deep regression trees on resampled rows",
        target="fairbench_baselines.anchors:RandomForest",
        citation="Breiman (2001): Random forests",
    )
    yield MethodDescription(
        name="single-task",
        summary="The same network with the target's head only: no fairness intervention",
        target="fairbench_baselines.single_task:SingleTask",
    )
    yield MethodDescription(
        name="weighted",
        summary="Target and protected attribute, their losses combined by a weighting",
        target="fairbench_baselines.weighted:Weighted",
        facts=_LABELS,
    )
    yield MethodDescription(
        name="dynamic-reweighting",
        summary="Groups as tasks; a group's weight grows with its error",
        target="fairbench_baselines.dynamic_reweighting:DynamicReweighting",
        facts=_LABELS,
        citation="After Li et al. (2023), J. Biomed. Inform. 143:104399, from its abstract",
    )
    yield MethodDescription(
        name="group-dro",
        summary="Minimises the loss of the worst group",
        target="fairbench_baselines.group_dro:GroupDRO",
        facts=_LABELS,
        citation="Sagawa, Koh, Hashimoto, Liang (ICLR 2020)",
    )
    yield MethodDescription(
        name="adversarial",
        summary="Gradient reversal: the trunk unlearns (λ > 0) or learns (λ < 0) the attribute",
        target="fairbench_baselines.adversarial:Adversarial",
        facts=_LABELS,
        citation="Ganin et al. (JMLR 2016); Raumanns et al. (2024)",
    )
