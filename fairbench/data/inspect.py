"""Inspect a table: what fairbench would make of each column, before anything is trained."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from fairbench.data.build import users_table
from fairbench.data.encode import finite
from fairbench.data.identifiers import Suspect, reason, suspect
from fairbench.data.summary import facts
from fairbench.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fairbench.data.assemble import Assembly
    from fairbench.data.columns import Column
    from fairbench.data.reader import How
    from fairbench.dataset import DatasetSpec, FloatArray, IntArray

__all__ = ["ColumnFacts", "Inspection", "inspect_table"]

SAMPLE, COUNTED = 20_000, 500_000
"""Rows that correlations are estimated on and different values counted on, evenly spaced."""

TWIN, LEAK = 0.98, 0.9
"""Absolute rank correlation with the target from which a column is its twin, or gives it away."""

SENSITIVE = frozenset(
    {"age", "sex", "gender", "race", "ethnicity", "ethnic", "religion", "disability", "nationality"}
)
"""Words in a column's name that make it a protected attribute to think of."""

Role = Literal["target", "protected", "cluster", "feature", "left out", "dropped", "unusable"]


@dataclass(frozen=True, slots=True)
class ColumnFacts:
    """One column: how it is read, what part it plays and why, and what is suspicious of it.

    `levels` is the number of different values; of numbers in a large table, on a part of its rows.
    `proposal` is a flag that might give the column a better part.
    """

    name: str
    kind: str
    missing: int
    levels: int
    role: Role
    why: str = ""
    suspicion: str = ""
    proposal: str = ""


@dataclass(frozen=True, slots=True)
class Inspection:
    """A table as it would be used.

    Parameters
    ----------
    counted
        Rows, evenly spaced, on which the different values of numbers were counted.
    groups
        Rows of each group of each protected attribute; empty where none was named.
    clusters
        Number of clusters, None without any.
    notices
        What building the dataset leaves out, drops by group, or fills in.
    problem
        Why it cannot be built as asked for; empty where it can.
    command
        What to run next.
    """

    rows: int
    counted: int
    columns: tuple[ColumnFacts, ...]
    groups: Mapping[str, Mapping[str, int]]
    clusters: int | None
    notices: tuple[str, ...]
    problem: str
    command: str


def inspect_table(spec: DatasetSpec, /) -> Inspection:
    """Read the file that `spec` names and say what would become of each column.

    Raises
    ------
    DataError
        Where the file cannot be read as a table, or lacks a column that `spec` names.
    """
    # Rows without a target are counted here, whether or not the command would take them.
    assembly = users_table(replace(spec, missing_target="drop"))
    target = _target(assembly)
    columns = tuple(_facts(assembly, name, target) for name in assembly.table.names)
    groups: Mapping[str, Mapping[str, int]] = {}
    clusters, notices, problem = None, assembly.table.notes, ""
    if spec.targets and spec.protected:
        try:
            dataset = assembly.dataset
        except DataError as error:
            problem = str(error)
        else:
            found = facts(dataset)
            groups, notices = found["groups"], dataset.card.notices  # type: ignore[assignment]
            clusters = None if dataset.clusters is None else int(dataset.clusters.max()) + 1
    return Inspection(
        assembly.table.rows,
        min(assembly.table.rows, COUNTED),
        columns,
        groups,
        clusters,
        notices,
        problem,
        _command(spec, columns),
    )


def _target(assembly: Assembly) -> Column | None:
    """The main target, where it is named and holds numbers."""
    targets = assembly.spec.targets
    if not targets or targets[0] not in assembly.table.names:
        return None
    column = assembly.reader.column(targets[0], "target")
    return None if column.is_text else column


def _facts(assembly: Assembly, name: str, target: Column | None) -> ColumnFacts:
    role, how = _role(assembly, name)
    try:
        column = assembly.reader.column(name, how)
    except DataError as error:
        return ColumnFacts(name, "unusable", 0, 0, "unusable", error.what)
    found = suspect(column)
    large = len(column.missing) > COUNTED and not column.is_text
    counted = column.rows(_spaced(len(column.missing), COUNTED)) if large else column
    facts_of = ColumnFacts(
        name, column.kind, int(column.missing.sum()), counted.distinct(), role, column.read
    )
    if role == "feature":
        facts_of = _judged(facts_of, column, found, assembly)
        if target is not None and facts_of.role == "feature":
            facts_of = replace(facts_of, suspicion=_reveals(column, target))
    return facts_of


def _role(assembly: Assembly, name: str) -> tuple[Role, How]:
    spec = assembly.spec
    how: How = "guess"
    if name in spec.categorical:
        how = "category"
    elif name in spec.numeric:
        how = "number"
    if name in spec.targets:
        return "target", "target"
    if name in {part for item in spec.protected for part in (item, *item.split("*"))}:
        return "protected", "group" if how == "guess" and spec.keep_na else how
    if name == spec.cluster:
        return "cluster", how
    out = name in spec.drop or f"-{name}" in spec.features
    plain = [item for item in spec.features if item[:1] not in {"+", "-"}]
    return ("dropped" if out or (plain and name not in plain) else "feature"), how


def _judged(
    about: ColumnFacts, column: Column, found: Suspect | None, assembly: Assembly
) -> ColumnFacts:
    """`about` with the reason for which a column would be no feature, or asks for a thought."""
    spec = assembly.spec
    kept = {*spec.categorical, *spec.numeric, *(f.removeprefix("+") for f in spec.features)}
    if found is not None and about.name not in kept:
        proposal = ""
        if found.why == "cluster" and not spec.cluster:
            proposal = f"--cluster {shlex.quote(about.name)}"
        return replace(about, role="left out", why=reason(found), proposal=proposal)
    if column.missing.all():
        return replace(about, role="left out", why="no value in any row")
    if about.levels == 1 and not column.missing.any():
        return replace(about, role="left out", why="the same value in every row")
    words = set(about.name.lower().replace("_", " ").split())
    if not spec.protected and words & SENSITIVE:
        return replace(about, proposal=f"--protected {shlex.quote(about.name)}")
    return about


def _reveals(column: Column, target: Column) -> str:
    """In words, how nearly `column` is the target, or nothing."""
    from scipy.stats import rankdata

    rows = _spaced(len(target.missing), SAMPLE)
    rows = rows[~(finite(column).missing[rows] | finite(target).missing[rows])]
    truth = target.numbers[rows]
    if len(rows) < 3 or not (truth != truth[0]).any():
        return ""
    if column.is_text:
        share = _explained(column.codes[rows], rankdata(truth))
        told = f"its levels tell {share:.0%} of the variance of the target's ranks"
        return told if share >= LEAK else ""
    values = column.numbers[rows]
    if (values == truth).all():
        return "equal to the target in every row"
    strength = _rank_correlation(values, truth)
    if strength >= TWIN:
        return f"a twin of the target: rank correlation {strength:.3f}"
    return f"may give the target away: rank correlation {strength:.2f}" if strength >= LEAK else ""


def _spaced(rows: int, most: int) -> IntArray:
    """At most `most` of the rows, evenly spaced."""
    return np.unique(np.linspace(0, rows - 1, most).astype(np.int64))


def _explained(codes: IntArray, truth: FloatArray) -> float:
    """Share of variance between levels, 0 where they have too few rows to tell."""
    levels, groups = np.unique(codes, return_inverse=True)
    if len(levels) < 2 or len(codes) < 5 * len(levels):
        return 0.0
    means = np.bincount(groups, weights=truth) / np.bincount(groups)
    return float(1 - ((truth - means[groups]) ** 2).sum() / ((truth - truth.mean()) ** 2).sum())


def _rank_correlation(values: FloatArray, truth: FloatArray) -> float:
    from scipy.stats import rankdata

    if not (values != values[0]).any():
        return 0.0
    return float(abs(np.corrcoef(rankdata(values), rankdata(truth))[0, 1]))


def _command(spec: DatasetSpec, columns: Sequence[ColumnFacts]) -> str:
    """`fairbench run` with all that was asked for, and what the table asks for besides."""
    words = ["fairbench", "run", "--method", "static-alpha", "--dataset", spec.name]
    for target in spec.targets or ("TARGET",):
        words += ["--target", target]
    for attribute in spec.protected or ("ATTRIBUTE",):
        words += ["--protected", attribute]
    repeated = [c.name for c in columns if c.proposal.startswith("--cluster")]
    if cluster := spec.cluster or (repeated[0] if len(repeated) == 1 else ""):
        words += ["--cluster", cluster]
    for flag in ("categorical", "numeric", "drop"):
        for name in getattr(spec, flag):
            words += [f"--{flag}", name]
    words += [w for c in columns if c.role == "unusable" for w in ("--drop", c.name)]
    if spec.features:
        words.append(f"--features={','.join(spec.features)}")
    for flag in ("decimal", "thousands", "encoding"):
        if value := getattr(spec, flag):
            words += [f"--{flag}", value]
    if spec.missing == "drop":
        words += ["--missing", "drop"]
    gaps = any(c.role == "target" and c.missing for c in columns)
    if gaps or spec.missing_target == "drop":
        words += ["--missing-target", "drop"]
    if spec.keep_na:
        words.append("--keep-na")
    if spec.bins != 2:
        words += ["--bins", str(spec.bins)]
    if spec.min_group is not None:
        words += ["--min-group", str(spec.min_group)]
    if spec.merge_groups:
        words.append("--merge-groups")
    return shlex.join(words)
