"""Codes of the Census Bureau: states, and what ranges of other codes stand for."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

__all__ = ["FIPS", "OCCUPATIONS", "PLACES", "group_of"]

_STATES = """
AL 01 AK 02 AZ 04 AR 05 CA 06 CO 08 CT 09 DE 10 DC 11 FL 12 GA 13 HI 15 ID 16 IL 17 IN 18 IA 19
KS 20 KY 21 LA 22 ME 23 MD 24 MA 25 MI 26 MN 27 MS 28 MO 29 MT 30 NE 31 NV 32 NH 33 NJ 34 NM 35
NY 36 NC 37 ND 38 OH 39 OK 40 OR 41 PA 42 RI 44 SC 45 SD 46 TN 47 TX 48 UT 49 VT 50 VA 51 WA 53
WV 54 WI 55 WY 56 PR 72
""".split()  # noqa: SIM905  # readable against the Bureau's list
FIPS = dict(zip(_STATES[::2], _STATES[1::2], strict=True))
"""State to the number in its file's name."""

OCCUPATIONS = (
    (0, "none given"),
    (10, "management"),
    (500, "business and finance"),
    (1005, "computers and mathematics"),
    (1305, "architecture and engineering"),
    (1600, "science"),
    (2000, "community and social service"),
    (2100, "law"),
    (2200, "education"),
    (2600, "arts and media"),
    (3000, "health professions"),
    (3600, "health support"),
    (3700, "protective service"),
    (4000, "food"),
    (4200, "cleaning and grounds"),
    (4330, "personal care"),
    (4700, "sales"),
    (5000, "office"),
    (6005, "farming, fishing and forestry"),
    (6200, "construction and extraction"),
    (7000, "installation and repair"),
    (7700, "production"),
    (9000, "transport"),
    (9800, "military"),
    (9830, "unemployed or never worked"),
)
"""Major groups of the Census occupation codes (2010 and 2018): each from its number on."""

PLACES = (
    (1, "United States"),
    (60, "territories of the United States"),
    (100, "Europe"),
    (200, "Asia"),
    (300, "Northern America"),
    (303, "Latin America"),
    (400, "Africa"),
    (500, "Oceania or at sea"),
)
"""Parts of the world of the Census place-of-birth codes: each from its number on."""


def group_of(codes: pd.Series, groups: Sequence[tuple[int, str]]) -> pd.Series:
    """The name of the range that each code falls in, as a category; `codes` are numbers."""
    import numpy as np
    import pandas as pd

    starts, names = zip(*groups, strict=True)
    place = np.searchsorted(starts, codes.to_numpy(), side="right") - 1
    return pd.Series(pd.Categorical(np.array(names)[np.maximum(place, 0)]), index=codes.index)
