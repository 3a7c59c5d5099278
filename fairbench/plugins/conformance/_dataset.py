"""Properties of every dataset."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from fairbench.dataset import DatasetSource
from fairbench.plugins.conformance._base import Conformance

if TYPE_CHECKING:
    from pathlib import Path

    from fairbench.dataset import File, ProtectedColumn

__all__ = ["DatasetConformance"]


class DatasetConformance(Conformance):
    """A dataset's table has the columns that its roles promise, and its card says what it is."""

    kind = "dataset"

    def locate(self, file: File, /) -> Path:
        """Return where the tests find `file`; override it to give a sample, or the file itself."""
        raise AssertionError(f"override locate() to say where the tests find {file.name}")

    def test_card_says_what_it_is(self) -> None:
        card = self._source().card
        for name in ("title", "source", "licence"):
            assert getattr(card, name).strip(), f"the card has no {name}"

    def test_files_are_pinned(self) -> None:
        for file in self._source().files:
            assert re.fullmatch("[0-9a-f]{64}|", file.sha256), f"{file.name}: no SHA-256"
            assert file.sha256 or not file.package, f"{file.name}: ships without a SHA-256"
            assert not file.url or file.url.startswith("https://"), (
                f"{file.name}: {file.url} is not https"
            )
            if file.member:
                assert file.url, f"{file.name}: a member of no archive"

    def test_reads_declared_files_only(self) -> None:
        source = self._source()

        def locate(file: File, /) -> Path:
            assert file in source.files, f"it reads {file.name}, which `files` does not name"
            return self.locate(file)

        source.table(locate)

    def test_table_has_the_columns_of_its_roles(self) -> None:
        source, table = self._source(), self._table()
        assert isinstance(table, pd.DataFrame), f"the table is a {type(table).__name__}"
        assert len(table), "the table has no rows"
        assert table.columns.is_unique, "two columns have the same name"
        roles = source.roles
        cluster = (roles.cluster,) if roles.cluster else ()
        assert roles.targets, "no column can be predicted"
        assert roles.protected, "no column can be protected"
        for name in (*roles.targets, *roles.protected, *cluster, *roles.excluded):
            assert name in table.columns, f"the table has no column {name!r}"
        used = {*roles.targets, *roles.protected, *cluster, *roles.excluded}
        assert len(set(table.columns) - used), "no column is left as a feature"

    def test_targets_are_numbers(self) -> None:
        table = self._table()
        for name in self._source().roles.targets:
            assert pd.api.types.is_numeric_dtype(table[name]), f"target {name!r} is not numeric"
            assert table[name].nunique() > 1, f"target {name!r} is constant"

    def test_protected_attributes_are_of_their_kind(self) -> None:
        table = self._table()
        for name, column in self._source().roles.protected.items():
            _check_protected(table[name].dropna(), column)

    def test_same_table_every_time(self) -> None:
        pd.testing.assert_frame_equal(self._table(), self._table())

    def _source(self) -> DatasetSource:
        source = self.make()
        assert isinstance(source, DatasetSource), f"{source!r} is no DatasetSource"
        return source

    def _table(self) -> pd.DataFrame:
        return self._source().table(self.locate)


def _check_protected(values: pd.Series[float], column: ProtectedColumn) -> None:
    found = set(values.unique().tolist())
    name = values.name
    match column.kind:
        case "binary":
            assert len(found) == 2, f"{name!r} is binary and has {len(found)} values"
        case "categorical":
            assert len(found) > 1, f"{name!r} is categorical and constant"
        case "continuous":
            assert pd.api.types.is_numeric_dtype(values), f"{name!r} is not numeric"
            assert np.isfinite(values).all(), f"{name!r} has infinite values"
            assert len(found) > 2, f"{name!r} is continuous and has {len(found)} values"
    if column.labels:
        unnamed = found - set(column.labels)
        assert not unnamed, f"{name!r} has values without a label: {sorted(unnamed)}"
