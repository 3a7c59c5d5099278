"""How often fronts reach a place: figures of the page."""

from __future__ import annotations

from typing import ClassVar

from fairbench.report.section import Section

__all__ = ["Reliability"]


class Reliability(Section):
    """Attainment surfaces of two methods, and the difference between them."""

    name: ClassVar[str] = "reliability"
    title: ClassVar[str] = "Reliability: how often is it reached?"
