"""Pre-processors: training rows, their weights or the features, changed before any method."""

from __future__ import annotations

from fairbench.facts import Facts
from fairbench.plugins import MethodDescription

__all__ = ["DESCRIPTIONS"]

_TRAINS = Facts("no", "labels")

DESCRIPTIONS = (
    MethodDescription(
        name="reweighing",
        summary="Weights training rows so that group and target are independent",
        target="fairbench_baselines.pre.reweighing:Reweighing",
        citation="Kamiran, Calders (Knowledge and Information Systems 2012)",
        facts=_TRAINS,
    ),
    MethodDescription(
        name="biased-sampling",
        summary="Trains on equally many rows with another share of the group: an experiment",
        target="fairbench_baselines.pre.biased_sampling:BiasedSampling",
        citation="Raumanns et al. (2024)",
        facts=Facts("no", "labels", takes=("binary", "continuous")),
    ),
    MethodDescription(
        name="correlation-remover",
        summary="Removes from the features what is linear in the attribute",
        target="fairbench_baselines.pre.correlation_remover:CorrelationRemover",
        citation="Fairlearn (Weerts et al., JMLR 2023)",
        facts=Facts("yes", "labels"),
    ),
)
