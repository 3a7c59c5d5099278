"""Assemble the arrays of a `Dataset` from a table and what is asked of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from fairbench.data.choose import Choice, choose, kept
from fairbench.data.columns import Column, as_category
from fairbench.data.encode import (
    Features,
    check_mixed,
    check_target,
    feature_matrix,
    finite,
    to_numbers,
)
from fairbench.data.groups import infer_kind, intersection, protected, sized
from fairbench.data.identifiers import suspect, warnings
from fairbench.data.lost import Usable, by_group, usable
from fairbench.data.notation import Notation
from fairbench.data.reader import How, Reader
from fairbench.data.tables import Table
from fairbench.dataset import Card, Dataset, DatasetSpec, ProtectedColumn, Roles
from fairbench.errors import DataError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from fairbench.data.columns import BoolArray
    from fairbench.dataset import IntArray, Protected

__all__ = ["Assembly"]


@dataclass(frozen=True)
class Assembly:
    """A table on its way to a `Dataset`: columns read, roles dealt, rows kept, arrays built."""

    name: str
    spec: DatasetSpec
    table: Table
    roles: Roles | None
    card: Card

    @cached_property
    def reader(self) -> Reader:
        """The reader of the table's columns, which reads each once."""
        notation = Notation(self.spec.decimal, self.spec.thousands)
        return Reader(self.table, notation, "category" if self.roles else "guess")

    @cached_property
    def dataset(self) -> Dataset:
        """The arrays, and a card that says what became of the table.

        Raises
        ------
        DataError
            Where a column cannot be used as asked for, or no row or feature is left.
        """
        if self.spec.bins < 2:
            raise DataError(
                f"a protected attribute cannot be cut into {self.spec.bins} groups",
                where=self.table.where,
                hint="give at least 2 bins",
            )
        self._check()
        keep, choice = self._usable.keep, self._choice
        features = self._features
        return Dataset(
            name=self.name,
            features=features.matrix,
            feature_names=features.names,
            targets=self._targets(),
            target_names=choice.targets,
            protected=tuple(self._protected(columns, keep) for columns in choice.protected),
            clusters=self._clusters(),
            cluster_name=choice.cluster,
            card=replace(
                self.card,
                rows=len(features.matrix),
                dropped=self._usable.dropped,
                caveats=(*self.card.caveats, *self._caveats()),
                imputed=features.filled,
                notices=(*self.table.notes, *self._suspected[1], *self._gaps()),
            ),
            imputed=features.imputed,
        )

    @cached_property
    def _choice(self) -> Choice:
        return choose(self.spec, self.table.names, self.roles, self.table.where)

    @property
    def _attributes(self) -> tuple[str, ...]:
        """Every column of a protected attribute."""
        return tuple(name for columns in self._choice.protected for name in columns)

    @cached_property
    def _columns(self) -> Mapping[str, Column]:
        """Every column in use, over all rows."""
        choice = self._choice
        cluster = (choice.cluster,) if choice.cluster else ()
        in_use = dict.fromkeys((*choice.targets, *self._attributes, *cluster, *choice.features))
        columns = {name: self.reader.column(name, self._how(name)) for name in in_use}
        wanted = set(self.spec.categorical) - set(choice.targets)
        return {n: as_category(c) if n in wanted else c for n, c in columns.items()}

    def _how(self, name: str) -> How:
        choice = self._choice
        if name in choice.targets:
            return "target"
        if name in self._attributes and self.spec.keep_na:
            return "group"
        if name in self.spec.categorical:
            return "category"
        return "number" if name in self.spec.numeric else "guess"

    def _check(self) -> None:
        """Whole columns, while rows still have their place in the file, for the messages."""
        choice, columns, table = self._choice, self._columns, self.table
        for name in choice.targets:
            to_numbers(columns[name], "target", table)
        for name in self.spec.numeric:
            if name in columns:
                to_numbers(columns[name], "column", table)
        if self.roles is not None:
            for name in self._attributes:
                if self.roles.protected[name].kind == "continuous":
                    to_numbers(columns[name], "continuous protected attribute", table)
            return
        for name in choice.targets:
            check_target(columns[name], table, dropped=self.spec.missing_target == "drop")
        free = {choice.cluster, *self.spec.categorical}
        for name, column in columns.items():
            if name not in free and self._how(name) != "group":
                check_mixed(column, table)

    @cached_property
    def _suspected(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """The features that are left once those that identify rows are out, and what to say."""
        features = self._choice.features
        if self.roles is not None:
            return features, ()
        asked = kept(self.spec, self.table.names)
        found = [suspect(self._columns[name]) for name in features if name not in asked]
        suspects = [one for one in found if one is not None]
        out = {one.name for one in suspects}
        said = tuple(warnings(suspects))
        left = tuple(name for name in features if name not in out)
        if not left:
            raise DataError("no feature is left", where=self.table.where, hint="; ".join(said))
        return left, said

    @cached_property
    def _usable(self) -> Usable:
        choice = self._choice
        needed = {*choice.targets, *self._attributes, choice.cluster}
        if self.spec.missing == "drop":
            needed |= set(self._suspected[0])
        return usable(self._columns, needed, self.table)

    @cached_property
    def _features(self) -> Features:
        keep = self._usable.keep
        columns = [finite(self._columns[name]) for name in self._suspected[0]]
        if not keep.all():
            columns = [column.rows(keep) for column in columns]
        return feature_matrix(columns, self.table, self.spec.categorical)

    def _targets(self) -> NDArray[np.float64]:
        choice, keep = self._choice, self._usable.keep
        targets = np.column_stack([self._columns[name].numbers[keep] for name in choice.targets])
        for name, values in zip(choice.targets, targets.T, strict=True):
            if (values == values[0]).all():
                raise DataError(
                    f"target {name!r} is constant: {values[0]:g} on every row",
                    where=self.table.where,
                    hint="choose a target that varies",
                )
        return np.ascontiguousarray(targets, dtype=np.float64)

    def _protected(self, names: tuple[str, ...], rows: BoolArray) -> Protected:
        """The attribute made of the columns `names`, over `rows` that have all their values."""
        parts = []
        for name in names:
            column = self._columns[name].rows(rows)
            kind = ProtectedColumn(infer_kind(column))
            how = self.roles.protected[name] if self.roles else kind
            parts.append(protected(column, how, self.spec.bins, self.table))
        spec = self.spec
        return sized(intersection(parts), spec.min_group, spec.merge_groups, self.table)

    def _clusters(self) -> IntArray | None:
        name = self._choice.cluster
        if not name:
            return None
        codes = self._columns[name].identity()[self._usable.keep]
        clusters = np.unique(codes, return_inverse=True)[1].astype(np.int64)
        if clusters.max() == 0:
            raise DataError(
                f"cluster column {name!r} has the same value on every row",
                where=self.table.where,
                hint="name the column that says which rows belong together, or none",
            )
        return clusters

    def _caveats(self) -> list[str]:
        caveats = []
        if constant := self._features.constant:
            caveats.append(f"constant, and so no feature: {', '.join(constant)}")
        used = (*self._choice.targets, *self._attributes, *self._suspected[0])
        read = [f"{n} ({self._columns[n].read})" for n in used if self._columns[n].read]
        return [*caveats, *([f"not written as plain numbers: {', '.join(read)}"] if read else [])]

    def _gaps(self) -> list[str]:
        """Tell what missing values cost, in all and by group of the first protected attribute."""
        choice, keep = self._choice, self._usable.keep
        lost, filled = ~keep, np.zeros(self.table.rows, dtype=bool)
        for name in dict(self._features.filled):
            filled |= finite(self._columns[name]).missing & keep
        if not (lost.any() or filled.any()):
            return []
        known = np.ones(self.table.rows, dtype=bool)
        for part in choice.protected[0]:
            known &= ~finite(self._columns[part]).missing
        attribute = self._protected(choice.protected[0], known)
        name = attribute.name
        said = []
        if lost.any():
            reasons = ", ".join(f"{why} {count:,}" for why, count in self._usable.dropped)
            said.append(
                f"{int(lost.sum()):,} of {self.table.rows:,} rows are left out: {reasons}; "
                f"by {name}: {by_group(lost, known, attribute)}"
            )
        if filled.any():
            cells = ", ".join(f"{column} {count:,}" for column, count in self._features.filled)
            said.append(
                f"missing features are filled in on training rows in {int(filled.sum()):,} of "
                f"{int(keep.sum()):,} rows: {cells}; by {name}: "
                f"{by_group(filled, known, attribute)}"
            )
        return said
