"""Audits of splits: whether they are different, cover the data and have the size they aim at."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fairbench.analyze.audits import Finding
from fairbench.analyze.overlap import split_overlap

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fairbench.dataset import FloatArray, IntArray
    from fairbench.fold import Split
    from fairbench.store import Rows

__all__ = ["audit_splits"]

FAR = 0.5
"""Part of its aim by which a test share may miss it."""

MUCH = 2.0
"""How many times what independent random splits share, from which overlap is too much."""


def audit_splits(name: str, rows: Rows, aim: float | None = None, /) -> list[Finding]:
    """Clusters that straddle a split, and everything that makes splits fewer than they seem.

    Parameters
    ----------
    name
        The dataset's label.
    aim
        The share of rows that the protocol means to test; the mean share where it says none.
    """
    shares = np.array([len(split.test) for split in rows.splits]) / len(rows.targets)
    aim = float(shares.mean()) if aim is None else aim
    concerns = [
        *_alike(rows),
        *_untested(rows, float(shares.mean())),
        *_too_large(rows, aim),
        *_off(shares, aim),
    ]
    findings = [Finding(name, "splits", "warning", text) for text in concerns]
    if not findings:
        findings = [Finding(name, "splits", "fine", "different, and of the size they aim at")]
    return [*_straddling(name, rows), *findings]


def _straddling(name: str, rows: Rows) -> Iterator[Finding]:
    """Clusters that have rows in more than one part of a split."""
    if rows.clusters is not None:
        worst = max(_torn(rows.clusters, split) for split in rows.splits)
        if worst:
            text = f"up to {worst} clusters have rows in more than one part of a split"
            yield Finding(name, "clusters", "warning", text)
        else:
            yield Finding(name, "clusters", "fine", "stay whole")


def _torn(clusters: IntArray, split: Split) -> int:
    parts = [np.unique(clusters[split[part]]) for part in ("train", "validation", "test")]
    _, counts = np.unique(np.concatenate(parts), return_counts=True)
    return int((counts > 1).sum())


def _alike(rows: Rows) -> Iterator[str]:
    """Test sets that are repeated, or share much more than independent random ones would."""
    overlap = split_overlap(rows.splits)
    if overlap.distinct < overlap.splits:
        yield (
            f"only {overlap.distinct} of {overlap.splits} splits have a test set of their own: "
            "the others repeat one and add little"
        )
    by_chance = float(np.mean([len(split.test) for split in rows.splits])) / len(rows.targets)
    if overlap.mean_test > MUCH * by_chance:
        yield (
            f"two splits have {overlap.mean_test:.0%} of their test rows in common on average, "
            f"where independent random splits would have {by_chance:.0%}"
        )


def _untested(rows: Rows, share: float) -> Iterator[str]:
    """Rows or clusters in no test set, though there are splits enough to test each once."""
    if len(rows.splits) * share < 1 - 1e-9:
        return
    tested = np.zeros(len(rows.targets), dtype=bool)
    for split in rows.splits:
        tested[split.test] = True
    clusters = np.arange(len(tested)) if rows.clusters is None else rows.clusters
    every = len(np.unique(clusters))
    if never := every - len(np.unique(clusters[tested])):
        what = "rows" if rows.clusters is None else "clusters"
        yield f"{never} of {every} {what} are in no test set of the {len(rows.splits)} splits"


def _too_large(rows: Rows, aim: float) -> Iterator[str]:
    """A cluster with more rows than a test set is meant to have."""
    if rows.clusters is None:
        return
    largest = int(np.unique(rows.clusters, return_counts=True)[1].max())
    share = largest / len(rows.targets)
    if share > aim:
        yield (
            f"one cluster has {largest} of {len(rows.targets)} rows ({share:.0%}), more than the "
            f"{aim:.0%} that a test set is meant to have: where it is tested, the result is its own"
        )


def _off(shares: FloatArray, aim: float) -> Iterator[str]:
    """Test sets much larger or smaller than they are meant to be."""
    if (np.abs(shares - aim) > FAR * aim).any():
        yield (
            f"test sets have {shares.min():.1%} to {shares.max():.1%} of the rows, "
            f"where {aim:.1%} are aimed at"
        )
