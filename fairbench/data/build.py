"""Builds a `Dataset` from a source or a user's file, treating all of them alike."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from fairbench.data.assemble import Assembly
from fairbench.data.files import read_table
from fairbench.data.locate import locate as locate_file
from fairbench.data.tables import frame_table, is_table_file
from fairbench.dataset import Card, Dataset, DatasetSource, DatasetSpec
from fairbench.errors import DataError, FairbenchError, PluginError, visible

if TYPE_CHECKING:
    from fairbench.dataset import Locate
    from fairbench.plugins import Registry

__all__ = ["build", "open_dataset", "users_table"]


def open_dataset(spec: DatasetSpec, registry: Registry | None = None) -> Dataset:
    """The dataset that `spec` names: a plugin's, or a user's table.

    Raises
    ------
    DataError
        When a file is missing or altered, or a column cannot be used as asked for.
    PluginError
        When the dataset's plugin fails.
    """
    if is_table_file(spec.name, registry):
        if spec.options:
            raise DataError(
                f"a table has no option {next(iter(spec.options))!r}",
                where=f"dataset {spec.name}",
                hint="leave the options out: only datasets of plugins have any",
            )
        return users_table(spec).dataset
    if registry is None:
        from fairbench.plugins import load

        registry = load()
    component = registry.find("dataset", spec.name)
    try:
        source = component.build(spec.options)
        dataset = build(spec, source, locate_file)
    except FairbenchError:
        raise
    except Exception as error:
        raise PluginError(
            f"dataset {spec.name!r} failed: {type(error).__name__}: {error}",
            where=component.qualified,
            hint="report this to the authors of that plugin",
        ) from error
    if Path(spec.name).is_file():
        notice = (
            f"a file called {spec.name!r} lies in this folder too, and the dataset was taken; "
            f"write ./{spec.name} for the file"
        )
        card = replace(dataset.card, notices=(notice, *dataset.card.notices))
        dataset = replace(dataset, card=card)
    return dataset


def users_table(spec: DatasetSpec) -> Assembly:
    """The file that `spec` names, read and ready to become a dataset."""
    path = Path(spec.name)
    name = visible(path.name)
    card = Card(title=name, source="a table of the user", licence="not stated")
    return Assembly(name, spec, read_table(path, spec.encoding), None, card)


def build(spec: DatasetSpec, source: DatasetSource, locate: Locate) -> Dataset:
    """The dataset that `source` offers, with the columns `spec` chooses.

    Missing features are to be filled in on training rows, unless `spec` drops their rows; rows
    that miss anything else are dropped and counted on the card. Texts are encoded one-hot;
    constant features are left out and named on the card. Rows keep the order of the source.
    """
    for flag in ("decimal", "thousands", "encoding"):
        if getattr(spec, flag):
            raise DataError(
                f"dataset {spec.name!r} comes from a plugin, which knows how its file is written",
                where=f"--{flag}",
                hint="leave this flag out",
            )
    name = spec.name.rpartition(":")[2]
    table = frame_table(f"dataset {spec.name}", source.table(locate))
    return Assembly(name, spec, table, source.roles, source.card).dataset
