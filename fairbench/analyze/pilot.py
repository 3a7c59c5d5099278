"""What an earlier run tells of one that is planned."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fairbench.analyze.columns import METHOD
from fairbench.analyze.contrasts import paired
from fairbench.analyze.planning import Spread, spread_of
from fairbench.analyze.rules import FEWEST_SPLITS

if TYPE_CHECKING:
    from fairbench.analyze.run import Run

__all__ = ["Pilot", "pilots"]


@dataclass(frozen=True, slots=True)
class Pilot:
    """One method of a pilot run against the baseline, in the primary analysis.

    Attributes
    ----------
    disparity
        Mean loss of the baseline.
    comparisons
        Comparisons of the primary analysis, all adjusted together.
    seconds
        Training of one split and seed, all methods and trade-off values together.
    """

    dataset: str
    method: str
    disparity: float
    spread: Spread
    comparisons: int
    seconds: float


def pilots(run: Run, /, *, rows: int | None = None) -> list[Pilot]:
    """What every comparison of the primary analysis of `run` varies by.

    Parameters
    ----------
    rows
        Rows of the planned dataset, where it is to have more or fewer than the pilot's.
    """
    points = run.matched()
    if points.empty:
        return []
    pairs = paired(points)
    progress = run.manifest["progress"]
    repeats = len(run.trials()[["split", "seed"]].drop_duplicates())
    seconds = float(progress["train_seconds"]) / max(1, repeats)
    found = []
    for key, own in pairs.groupby(METHOD, sort=True):
        dataset, target, protected, method = map(str, key)
        if run.primary.views.get(dataset) == (target, protected) and len(own) >= FEWEST_SPLITS:
            have = int(run.manifest["datasets"][dataset]["rows"])
            spread = spread_of(own).with_rows((rows or have) / have)
            disparity = float(own["base_disparity"].mean())
            found.append((dataset, method, disparity, spread))
    return [Pilot(*one, len(found), seconds) for one in found]
