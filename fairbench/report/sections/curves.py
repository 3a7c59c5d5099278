"""What a method's trade-off value does: a figure of formats that draw, and nothing beside."""

from __future__ import annotations

from typing import ClassVar

from fairbench.report.section import Section

__all__ = ["Curves"]


class Curves(Section):
    """Error, disparity and errors by group against the trade-off value."""

    name: ClassVar[str] = "curves"
    title: ClassVar[str] = "Trade-off: what the method's parameter does"
