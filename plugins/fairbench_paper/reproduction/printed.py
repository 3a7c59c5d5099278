"""The figures the paper prints, and what follows from them by arithmetic alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["PAPER", "Claim", "Point", "Table", "claims"]


@dataclass(frozen=True, slots=True)
class Point:
    """A row of Table 2 or 4."""

    alpha: float
    disparity: float
    error: float


@dataclass(frozen=True, slots=True)
class Table:
    """Tables 1 and 2, or 3 and 4; ``error`` and ``disparity`` stand under the heading RMSE."""

    numbers: tuple[int, int]
    error: float
    mae: float
    disparity: float
    mae_disparity: float
    front: tuple[Point, ...]

    @property
    def fairest(self) -> Point:
        """The point with the least disparity."""
        return min(self.front, key=lambda point: point.disparity)

    @property
    def most_accurate(self) -> Point:
        """The point with the least error."""
        return min(self.front, key=lambda point: point.error)


PAPER: Mapping[str, Table] = {
    "boston": Table(
        (1, 2),
        error=11.45,
        mae=2.11,
        disparity=13.76,
        mae_disparity=0.96,
        front=(
            Point(4.4, 5.866693, 26.037848),
            Point(2.6, 7.481788, 19.600241),
            Point(2.7, 8.289066, 19.255997),
            Point(2.9, 9.398005, 19.096895),
            Point(0.4, 11.205297, 13.074536),
            Point(0.2, 11.212414, 12.165419),
            Point(0.1, 12.726402, 11.306895),
        ),
    ),
    "parkinson": Table(
        (3, 4),
        error=3.3341,
        mae=2.4486,
        disparity=0.39,
        mae_disparity=0.30,
        front=(
            Point(3.8, 0.020463, 2.881697),
            Point(3.0, 0.032371, 2.710295),
            Point(4.7, 0.104597, 2.658332),
            Point(3.2, 0.190242, 2.539749),
            Point(2.8, 0.307519, 2.514439),
        ),
    ),
}
"""By dataset."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A percentage of the text, recomputed.

    Parameters
    ----------
    printed, recomputed
        Shares: 0.68 is 68 %.
    how
        The arithmetic, with the tables' own figures.
    """

    dataset: str
    what: str
    where: str
    printed: float
    recomputed: float
    how: str

    @property
    def agrees(self) -> bool:
        """Say whether both are within half a point of each other."""
        return abs(self.printed - self.recomputed) < 0.005


def claims(dataset: str, /) -> tuple[Claim, ...]:
    """The percentages of the abstract and Section 4 on `dataset`, from its own tables."""
    table = PAPER[dataset]
    fair, accurate = table.fairest, table.most_accurate
    disparity, error = table.disparity, table.error
    cut = 1 - fair.disparity / disparity
    how_cut = f"1 − {fair.disparity:.4g}/{disparity:g}"
    if dataset == "boston":
        return (
            Claim(
                dataset,
                "largest reduction of disparity",
                "4.1, 5",
                0.68,
                cut,
                f"{how_cut}; the printed figure is 1 − {fair.alpha:g}/{disparity:g}, with that "
                "model's α in place of its disparity",
            ),
            Claim(
                dataset,
                "error added by that model",
                "4.1",
                1.27,
                fair.error / error - 1,
                f"{fair.error:.4g}/{error:g} − 1",
            ),
            Claim(
                dataset,
                "reduction of disparity by the most accurate model",
                "4.1",
                0.08,
                1 - accurate.disparity / disparity,
                f"1 − {accurate.disparity:.4g}/{disparity:g}",
            ),
            Claim(
                dataset,
                "reduction of the error by the most accurate model",
                "4.1",
                0.013,
                1 - accurate.error / error,
                f"1 − {accurate.error:.4g}/{error:g}",
            ),
        )
    return (
        Claim(dataset, "largest reduction of disparity", "abstract, 4.2", 0.949, cut, how_cut),
        Claim(
            dataset,
            "largest reduction of the error",
            "abstract",
            0.326,
            1 - accurate.error / error,
            f"1 − {accurate.error:.4g}/{error:g}; the printed figure is "
            f"{error:g}/{accurate.error:.4g} − 1",
        ),
        Claim(
            dataset,
            "reduction of the error by the fairest model",
            "4.2",
            0.156,
            1 - fair.error / error,
            f"1 − {fair.error:.4g}/{error:g}; the printed figure is near "
            f"{error:g}/{fair.error:.4g} − 1 = {100 * (error / fair.error - 1):.1f} %",
        ),
    )
