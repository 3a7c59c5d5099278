"""Equal weighting: the sum of the losses."""

from __future__ import annotations

from dataclasses import dataclass

from fairbench.weighting import Weighting

__all__ = ["Equal"]


@dataclass(frozen=True)
class Equal(Weighting):
    """w_t = 1. What every other rule is measured against."""
