"""Reductions: fair prediction as a sequence of ordinary learning problems."""

from __future__ import annotations

from fairbench.facts import Facts
from fairbench.plugins import MethodDescription

__all__ = ["DESCRIPTIONS"]

DESCRIPTIONS = (
    MethodDescription(
        name="dp-reduction",
        summary="A mixture of any method's models within ε of demographic parity",
        target="fairbench_baselines.reductions.dp_reduction:DPReduction",
        citation="Agarwal, Dudík, Wu (ICML 2019)",
        facts=Facts("no", "labels", randomised=True),
    ),
)
