"""What choosing trade-off points on test rows would have added: the optimism of a study."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from fairbench.analyze.columns import METHOD
from fairbench.analyze.indicators import deployed
from fairbench.analyze.matched import with_losses

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping

    from fairbench.analyze.axes import Axes
    from fairbench.analyze.box import Box

__all__ = ["optimism"]


def optimism(
    fronts: pd.DataFrame, axes: Axes, box: Mapping[tuple[Hashable, ...], Box], /
) -> pd.DataFrame:
    """Hypervolume on test rows of points chosen on selection rows, and of points chosen on test.

    See `fairbench.analyze.deployed`.

    Returns
    -------
    DataFrame
        One row per dataset, target, protected attribute, method, split and seed: honest and
        test_selected hypervolumes (shares of the box, in [0, 1]) and gap, their difference:
        never negative, and pure illusion.
    """
    points = with_losses(fronts, axes)
    rows = []
    for key, part in points.groupby([*METHOD, "split", "seed"], sort=True):
        scaled = box[tuple(key[:3])].scaled
        test = scaled(part[["error_loss", "disparity_loss"]].to_numpy())
        chosen = scaled(part[["selection_error_loss", "selection_disparity_loss"]].to_numpy())
        honest, selected = deployed(test, chosen), deployed(test, test)
        rows.append((*key, honest, selected, selected - honest))
    columns = [*METHOD, "split", "seed", "honest", "test_selected", "gap"]
    return pd.DataFrame(rows, columns=columns)
