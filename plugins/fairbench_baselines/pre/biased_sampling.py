"""biased-sampling: how a method's disparity answers to the composition of its training rows."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np
from annotated_types import Ge, Le

from fairbench.errors import DataError
from fairbench.facts import Facts
from fairbench.method import Tradeoff
from fairbench.wrap import PreProcessor, attributes_of, target_bins

if TYPE_CHECKING:
    from fairbench.dataset import FloatArray, IntArray
    from fairbench.fold import Fold

__all__ = ["BiasedSampling", "cell_counts"]

SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)
TOWARDS = (0.0, 0.25, 0.5, 0.75, 1.0)


@dataclass(frozen=True)
class BiasedSampling(PreProcessor):
    """Draws training rows with a chosen share of the second group, and everything else equal.

    Raumanns et al. (2024) [code]: the same number of rows at every value, so that their number
    does not play a part, and the same mix of target bins in both groups. It is an experiment
    rather than a mitigation. Test rows are the protocol's; the authors draw a balanced test set.

    Parameters
    ----------
    sweep
        ``share`` sweeps the share of the second group from 0 to 1, as they do: no end of it is
        the fair one, the middle is balanced, and reports take the low end for it. ``balance``
        sweeps from the data's own share (0) to one half (1).
    bins
        Bins of the target, at its quantiles.
    """

    sweep: Literal["balance", "share"] = "balance"
    bins: Annotated[int, Ge(1), Le(50)] = 2

    @property
    def own_facts(self) -> Facts:
        return Facts("no", "labels", takes=("binary", "continuous"))

    @property
    def tradeoff(self) -> Tradeoff:
        if self.sweep == "share":
            return Tradeoff("share", SHARES, 0.0, 1.0, "low")
        return Tradeoff("tau", TOWARDS, 0.0, 1.0, "high")

    def prepare(self, fold: Fold, value: float | None, seed: int, /) -> Fold:
        assert value is not None
        train = fold.split.train
        groups = self._groups(fold)
        target = fold.targets("train")[:, 0]
        bins = np.searchsorted(target_bins(target, groups, self.bins), target, side="right")
        caps = np.zeros((2, int(bins.max()) + 1), dtype=np.int64)
        np.add.at(caps, (groups, bins), 1)
        own = float(groups.mean())
        shares = SHARES if self.sweep == "share" else tuple(own + t * (0.5 - own) for t in TOWARDS)
        share = value if self.sweep == "share" else own + value * (0.5 - own)
        wanted = cell_counts(caps, share, shares)
        if not wanted.sum():
            raise DataError(
                f"no training row is left at {self.tradeoff.name} = {value:g}",
                where="biased-sampling",
                hint="take fewer bins, or another attribute",
            )
        # The order of rows is the same at every value: samples are nested where they can be.
        order = np.random.default_rng(seed).permutation(len(train))
        kept = [
            order[(groups[order] == g) & (bins[order] == b)][: wanted[g, b]]
            for g, b in np.ndindex(*wanted.shape)
        ]
        chosen = np.sort(np.concatenate(kept))
        return replace(fold, split=replace(fold.split, train=train[chosen]))

    def _groups(self, fold: Fold) -> IntArray:
        """Whether (n,) a training row is in the second group, or above a continuous median."""
        attribute = attributes_of(fold, self.attributes)[0].rows(fold.split.train)
        if attribute.kind != "continuous":
            return attribute.groups
        return np.asarray(attribute.values > np.median(attribute.values), dtype=np.int64)


def cell_counts(caps: IntArray, share: float, shares: tuple[float, ...], /) -> IntArray:
    """Rows (2, K) to draw of every group and bin for a `share` of group 1.

    Every one of `shares` gets the same number of rows, the largest that all of them allow, with
    the bins mixed as in all rows. Of a share of 0 no row of the group is drawn.

    Parameters
    ----------
    caps : (2, K)
        Rows there are.
    """
    mix = caps.sum(axis=0) / caps.sum()

    def parts(of: float) -> FloatArray:
        return np.outer([1 - of, of], mix)

    total = min(_largest(caps, parts(one)) for one in {*shares, share})
    return np.floor(total * parts(share) + 1e-9).astype(np.int64)


def _largest(caps: IntArray, parts: FloatArray) -> float:
    wanted = parts > 0
    return float((caps[wanted] / parts[wanted]).min())
