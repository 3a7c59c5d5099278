"""Audits: what could make every number of a study mean less than it seems."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from fairbench.fold import Fold

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    from numpy.typing import NDArray

    from fairbench.dataset import Dataset, FloatArray, IntArray, Protected
    from fairbench.fold import Split
    from fairbench.store import Rows

__all__ = ["Finding", "audit_dataset", "audit_rows", "audit_trials"]

SMALL_GROUP = 20
"""Test rows of a group below which its errors are mostly noise."""

SMALL_CLUSTERS = 5
"""Clusters (people) of a group on test rows below which a claim rests on single people."""

NEARLY_EQUAL = 0.9
"""Absolute rank correlation from which a feature is nearly the target or the attribute."""

REVEALING = 0.8
"""Cross-validated AUC from which the features are said to reveal a protected attribute."""

REVEALING_R2 = 0.5
"""The same for a continuous attribute, as a cross-validated R²."""

MOST_ROWS = 20_000
"""Rows that predictability is estimated on."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found on one dataset.

    Parameters
    ----------
    check
        ``clusters``, ``splits``, ``duplicates``, ``constant``, ``groups``, ``predictable``,
        ``leakage``, ``table`` or ``trials``.
    level
        ``fine``, or ``warning`` where a reader must think twice.
    """

    dataset: str
    check: str
    level: Literal["fine", "warning"]
    text: str


def audit_rows(name: str, rows: Rows, /) -> list[Finding]:
    """Groups too small on test rows, or to be compared at all."""
    findings = [_left_out(name, attribute) for attribute in rows.protected if attribute.small]
    return findings + [_small_groups(name, rows, attribute) for attribute in rows.protected]


def _left_out(name: str, attribute: Protected) -> Finding:
    """Groups that leave every disparity, with their rows in the table."""
    counts = np.bincount(attribute.groups, minlength=len(attribute.labels))
    told = ", ".join(
        f"{label} ({count} rows)"
        for label, count in zip(attribute.labels, counts, strict=True)
        if label in attribute.small
    )
    text = f"{attribute.name}: too few rows to be compared, so part of no disparity: {told}"
    return Finding(name, "groups", "warning", text)


def _small_groups(name: str, rows: Rows, attribute: Protected) -> Finding:
    """The smallest group on test rows over all splits, in rows and in clusters."""
    small = []
    for code, label in enumerate(attribute.labels):
        if label in attribute.small:
            continue
        members = [s.test[attribute.groups[s.test] == code] for s in rows.splits]
        fewest = min(len(index) for index in members)
        people = None
        if rows.clusters is not None:
            people = min(len(np.unique(rows.clusters[index])) for index in members)
        if fewest < SMALL_GROUP or (people is not None and people < SMALL_CLUSTERS):
            of = "" if people is None else f" from {people} clusters"
            small.append(f"{label} has only {fewest} test rows{of}")
    text = "; ".join(small) + " in the split with the fewest" if small else "large enough"
    return _finding(name, "groups", bool(small), f"{attribute.name}: {text}")


def audit_trials(trials: pd.DataFrame, /) -> list[Finding]:
    """Trials that failed or diverged, by dataset and method."""
    findings = []
    for (dataset, method), part in trials.groupby(["dataset", "method"], sort=True):
        lost = part["status"].value_counts().drop("ok", errors="ignore")
        if lost.empty:
            continue
        counts = ", ".join(f"{count} {status}" for status, count in sorted(lost.items()))
        text = f"{method}: {counts} of {len(part)} trials"
        findings.append(Finding(str(dataset), "trials", "warning", text))
    return findings


def audit_dataset(dataset: Dataset, splits: Sequence[Split], /) -> list[Finding]:
    """What only the features can tell; to be run while they are in memory.

    What reading the table left out or filled in, rows that stand in training and in test rows
    alike, features that do not vary, how well the features predict each protected attribute
    (cross-validated, clusters kept whole), and single features that are nearly the target.
    """
    return [
        *(Finding(dataset.name, "table", "warning", text) for text in dataset.card.notices),
        _duplicates(dataset, splits),
        _constant(dataset, splits),
        *(_predictable(dataset, attribute) for attribute in dataset.protected),
        *(
            _leakage(dataset, name, dataset.targets[:, number])
            for number, name in enumerate(dataset.target_names)
        ),
    ]


def _duplicates(dataset: Dataset, splits: Sequence[Split]) -> Finding:
    alike = _row_hashes(dataset)
    found = [(int(np.isin(alike[s.test], alike[s.train]).sum()), len(s.test)) for s in splits]
    worst, rows = max(found, key=lambda pair: pair[0] / pair[1])
    share = f" ({worst / rows:.1%})" if worst >= rows / 1000 else ""
    text = f"{worst:,} of {rows:,} test rows{share} also stand among the training rows of a split"
    return _finding(dataset.name, "duplicates", worst > 0, text if worst else "none across a split")


def _row_hashes(dataset: Dataset) -> NDArray[np.uint64]:
    """(n,) uint64: equal for rows whose features and targets are equal, missing ones included.

    Column by column, in linear time and memory; of ten million different rows, some two share a
    hash in three of a million tables.
    """
    from pandas.util import hash_array

    hashes = np.zeros(dataset.rows, dtype=np.uint64)
    for column in (*dataset.features.T, *dataset.targets.T):
        values = np.where(np.isnan(column), np.inf, column) + 0.0  # −0 equals 0
        hashes = hashes * np.uint64(0x9E3779B97F4A7C15) + hash_array(values)
    return hashes


def _constant(dataset: Dataset, splits: Sequence[Split]) -> Finding:
    """Features without any spread on the training rows of a split: nothing is learned of them."""
    constant = np.mean([Fold(dataset, split).constant_features() for split in splits], axis=0)
    named = [
        f"{dataset.feature_names[i]} ({constant[i] * len(splits):.0f} of {len(splits)} splits)"
        for i in np.flatnonzero(constant)
    ]
    text = f"the same on all training rows, and not scaled there: {', '.join(named)}"
    text = text if named else "every feature varies on training rows"
    return _finding(dataset.name, "constant", bool(named), text)


def _predictable(dataset: Dataset, attribute: Protected) -> Finding:
    continuous = attribute.kind == "continuous"
    score = _score(dataset, attribute)
    name, limit = ("R²", REVEALING_R2) if continuous else ("AUC", REVEALING)
    if not np.isfinite(score):
        text = f"{attribute.name}: too few members to tell"
        return Finding(dataset.name, "predictable", "warning", text)
    text = f"{attribute.name} is predicted from the features with {name} {score:.2f}"
    if score >= limit:
        text += ": a model can know it without being told"
    return _finding(dataset.name, "predictable", score >= limit, text)


def _score(dataset: Dataset, attribute: Protected) -> float:
    """Cross-validated AUC (one against rest, mean over groups) or R² of a linear model."""
    from sklearn.linear_model import LogisticRegression, Ridge
    from sklearn.metrics import r2_score, roc_auc_score
    from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold, cross_val_predict
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    index = np.arange(dataset.rows)
    if dataset.rows > MOST_ROWS:
        index = np.sort(np.random.default_rng(0).choice(dataset.rows, MOST_ROWS, replace=False))
    groups = attribute.groups[index]
    clusters = None if dataset.clusters is None else dataset.clusters[index]
    folds = min(5, _fewest_members(groups, clusters))
    if folds < 2:
        return float("nan")
    continuous = attribute.kind == "continuous"
    splitter = StratifiedKFold(folds, shuffle=True, random_state=0)
    if clusters is not None:
        splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=0)
    parts = list(splitter.split(index, groups, clusters))
    if any(len(np.unique(groups[train])) < len(np.unique(groups)) for train, _ in parts):
        return float("nan")
    estimator = Ridge() if continuous else LogisticRegression(max_iter=2000)
    outcome = attribute.values[index] if continuous else groups
    predicted = cross_val_predict(
        make_pipeline(StandardScaler(), estimator),
        dataset.filled(index, dataset.fill(index)),
        outcome,
        cv=parts,
        method="predict" if continuous else "predict_proba",
    )
    if continuous:
        return float(r2_score(outcome, predicted))
    present = np.unique(groups)
    return float(
        np.mean([roc_auc_score(groups == g, predicted[:, k]) for k, g in enumerate(present)])
    )


def _fewest_members(groups: IntArray, clusters: IntArray | None) -> int:
    """Rows, or clusters, of the smallest group that occurs."""
    return min(
        int((groups == g).sum()) if clusters is None else len(np.unique(clusters[groups == g]))
        for g in np.unique(groups)
    )


def _leakage(dataset: Dataset, name: str, target: FloatArray) -> Finding:
    correlation = _rank_correlations(dataset.features, target)
    for column in {column for columns in dataset.imputed for column in columns}:
        present = ~np.isnan(dataset.features[:, column])
        correlation[column] = _rank_correlations(
            dataset.features[present, column, None], target[present]
        )[0]
    near = [
        f"{dataset.feature_names[i]} ({correlation[i]:.2f})"
        for i in np.flatnonzero(correlation >= NEARLY_EQUAL)
    ]
    text = f"nearly equal to {name} by rank correlation: {', '.join(near)}"
    text = text if near else f"no feature is nearly {name}"
    return _finding(dataset.name, "leakage", bool(near), text)


def _rank_correlations(features: FloatArray, target: FloatArray) -> FloatArray:
    """(d,) float: how strongly each feature rises or falls with the target, from 0 to 1."""
    from scipy.stats import rankdata

    ranks = rankdata(np.column_stack([features, target]), axis=0)
    ranks -= ranks.mean(axis=0)
    length = np.sqrt((ranks**2).sum(axis=0))
    length[length == 0] = 1.0
    correlation: FloatArray = np.abs(ranks[:, :-1].T @ ranks[:, -1]) / (length[:-1] * length[-1])
    return correlation


def _finding(dataset: str, check: str, bad: bool, text: str) -> Finding:
    return Finding(dataset, check, "warning" if bad else "fine", text)
