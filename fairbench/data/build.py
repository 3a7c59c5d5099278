"""Builds a `Dataset` from a source or a user's file, treating all of them alike."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from fairbench.data.choose import Choice, choose
from fairbench.data.encode import check_mixed, check_target, feature_matrix, to_numbers
from fairbench.data.files import read_table
from fairbench.data.groups import infer_kind, intersection, protected, sized
from fairbench.data.locate import locate as locate_file
from fairbench.data.tables import Column, FrameTable, Table, is_table_file
from fairbench.dataset import Card, Dataset, DatasetSource, DatasetSpec, ProtectedColumn, Roles
from fairbench.errors import DataError, FairbenchError, PluginError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from fairbench.dataset import IntArray, Locate
    from fairbench.plugins import Registry

__all__ = ["build", "open_dataset"]


def open_dataset(spec: DatasetSpec, registry: Registry | None = None) -> Dataset:
    """The dataset that `spec` names: a plugin's, or a user's CSV or Parquet file.

    Raises
    ------
    DataError
        When a file is missing or altered, or a column cannot be used as asked for.
    PluginError
        When the dataset's plugin fails.
    """
    if is_table_file(spec.name):
        if spec.options:
            raise DataError(
                f"a table has no option {next(iter(spec.options))!r}",
                where=f"dataset {spec.name}",
                mend="leave the options out: only datasets of plugins have any",
            )
        path = Path(spec.name)
        card = Card(title=path.name, source="a table of the user", licence="not stated")
        return _assemble(path.name, spec, read_table(path), None, card)
    if registry is None:
        from fairbench.plugins import load

        registry = load()
    component = registry.find("dataset", spec.name)
    try:
        source = component.build(spec.options)
        return build(spec, source, locate_file)
    except FairbenchError:
        raise
    except Exception as error:
        raise PluginError(
            f"dataset {spec.name!r} failed: {type(error).__name__}: {error}",
            where=component.qualified,
            mend="report this to the authors of that plugin",
        ) from error


def build(spec: DatasetSpec, source: DatasetSource, locate: Locate) -> Dataset:
    """The dataset that `source` offers, with the columns `spec` chooses.

    Rows that miss a value in a column in use are dropped and counted on the card; texts are
    encoded one-hot; constant features are left out and named on the card. Rows keep the order
    of the source.
    """
    name = spec.name.rpartition(":")[2]
    table = FrameTable(f"dataset {spec.name}", source.table(locate))
    return _assemble(name, spec, table, source.roles, source.card)


def _assemble(
    name: str, spec: DatasetSpec, table: Table, roles: Roles | None, card: Card
) -> Dataset:
    if spec.bins < 2:
        raise DataError(
            f"a protected attribute cannot be cut into {spec.bins} groups",
            where=table.where,
            mend="give at least 2 bins",
        )
    choice = choose(spec, table.names, roles, table.where)
    attributes = [name for columns in choice.protected for name in columns]
    in_use = dict.fromkeys((*choice.targets, *attributes, *choice.features))
    columns = {column: table.column(column) for column in in_use}
    _check(choice, columns, roles, table)
    codes, keep, dropped = _usable_rows(choice, columns, table)
    columns = {n: Column(n, c.values[keep], c.missing[keep]) for n, c in columns.items()}
    features, feature_names, constant = feature_matrix(
        [columns[feature] for feature in choice.features], table
    )
    notes = (f"constant, and so no feature: {', '.join(constant)}",) if constant else ()
    judged = tuple(
        sized(
            intersection(
                [protected(columns[p], _kind(columns[p], roles), spec.bins, table) for p in names]
            ),
            spec.min_group,
            spec.merge_groups,
            table,
        )
        for names in choice.protected
    )
    return Dataset(
        name=name,
        features=features,
        feature_names=feature_names,
        targets=_targets(choice, columns, table),
        target_names=choice.targets,
        protected=judged,
        clusters=codes,
        cluster_name=choice.cluster,
        card=replace(card, rows=len(features), dropped=dropped, caveats=(*card.caveats, *notes)),
    )


def _check(choice: Choice, columns: dict[str, Column], roles: Roles | None, table: Table) -> None:
    """Whole columns, while rows still have their place in the file, for the messages."""
    for name in choice.targets:
        to_numbers(columns[name], "target", table)
    if roles is None:
        for name, column in columns.items():
            if name in choice.targets:
                check_target(column, table)
            else:
                check_mixed(column, table)
        return
    for name in (name for names in choice.protected for name in names):
        if roles.protected[name].kind == "continuous":
            to_numbers(columns[name], "continuous protected attribute", table)


def _kind(column: Column, roles: Roles | None) -> ProtectedColumn:
    return roles.protected[column.name] if roles else ProtectedColumn(infer_kind(column))


def _usable_rows(
    choice: Choice, columns: dict[str, Column], table: Table
) -> tuple[IntArray | None, NDArray[np.bool_], tuple[tuple[str, int], ...]]:
    """Cluster codes of the rows kept, which rows are kept, and why the others are not.

    A row that misses several values counts for the first of them in the order of the table.
    """
    clusters, lacking = None, {}
    if choice.cluster:
        clusters, lacking[choice.cluster] = table.codes(choice.cluster)
    keep = np.ones(table.rows, dtype=bool)
    dropped: list[tuple[str, int]] = []
    for name in table.names:
        bad = {"missing": lacking.get(name, np.zeros(table.rows, dtype=bool))}
        if name in columns:
            bad["missing"] = bad["missing"] | columns[name].missing
            if not columns[name].is_text:
                bad["infinite"] = np.isinf(columns[name].values)
        for what, rows in bad.items():
            if count := int((rows & keep).sum()):
                dropped.append((f"{what} {name!r}", count))
            keep &= ~rows
    if not keep.any():
        reason, count = max(dropped, key=lambda pair: pair[1], default=("the table is empty", 0))
        raise DataError(
            "no row has a value in every column in use",
            where=f"{table.where}; most are lost to {reason}: {count} of {table.rows} rows",
            mend="leave such columns out with --features=-column",
        )
    if clusters is not None:
        clusters = np.unique(clusters[keep], return_inverse=True)[1].astype(np.int64)
        if clusters.max() == 0:
            raise DataError(
                f"cluster column {choice.cluster!r} has the same value on every row",
                where=table.where,
                mend="name the column that says which rows belong together, or none",
            )
    return clusters, keep, tuple(dropped)


def _targets(choice: Choice, columns: dict[str, Column], table: Table) -> NDArray[np.float64]:
    targets = np.column_stack([columns[name].values for name in choice.targets])
    for name, values in zip(choice.targets, targets.T, strict=True):
        if (values == values[0]).all():
            raise DataError(
                f"target {name!r} is constant: {values[0]:g} on every row",
                where=table.where,
                mend="choose a target that varies",
            )
    return np.ascontiguousarray(targets, dtype=np.float64)
