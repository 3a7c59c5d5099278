"""Post-processors: predictions of any method, adjusted by a rule learned on calibration rows."""

from __future__ import annotations

from fairbench.facts import Facts
from fairbench.plugins import MethodDescription

__all__ = ["DESCRIPTIONS"]

_READS = Facts("yes", "labels")

DESCRIPTIONS = (
    MethodDescription(
        name="moment-matching",
        summary="Gives the groups' predictions of any method one mean and one standard deviation",
        target="fairbench_baselines.post.moment_matching:MomentMatching",
        facts=_READS,
    ),
    MethodDescription(
        name="barycenter",
        summary="Moves the groups' predictions of any method to their Wasserstein barycenter",
        target="fairbench_baselines.post.barycenter:Barycenter",
        citation="Chzhen, Denis, Hebiri, Oneto, Pontil (NeurIPS 2020); Chzhen, Schreuder (2022)",
        facts=_READS,
    ),
    MethodDescription(
        name="eo-postprocess",
        summary="Equalised odds: redraws predictions of any method, alike in groups of one target",
        target="fairbench_baselines.post.eo_postprocess:EOPostprocess",
        citation="After Hardt, Price, Srebro (NeurIPS 2016)",
        facts=Facts("yes", "labels", randomised=True),
    ),
    MethodDescription(
        name="unaware-post",
        summary="Parity of any method's predictions without reading the attribute to predict",
        target="fairbench_baselines.post.unaware_post:UnawarePost",
        citation="Taturyan, Chzhen, Hebiri (NeurIPS 2024)",
        facts=Facts("predicted", "labels", randomised=True),
    ),
)
