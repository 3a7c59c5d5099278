"""Names of distributions."""

from __future__ import annotations

import re

__all__ = ["OWN", "normalised"]

OWN = "fairbench-mtl"
"""The distribution whose plugins cannot be switched off: fairbench is made of them."""


def normalised(distribution: str, /) -> str:
    """The form in which two spellings of a distribution's name are equal (PEP 503)."""
    return re.sub(r"[-_.]+", "-", distribution).lower()
