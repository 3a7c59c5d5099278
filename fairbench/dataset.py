"""Datasets: a table with features, targets, protected attributes and, optionally, clusters."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    FloatArray = NDArray[np.float64]
    IntArray = NDArray[np.int64]

__all__ = [
    "Card",
    "Dataset",
    "DatasetSource",
    "DatasetSpec",
    "File",
    "Locate",
    "Protected",
    "ProtectedColumn",
    "ProtectedKind",
    "Roles",
]

ProtectedKind = Literal["binary", "categorical", "continuous"]


@dataclass(frozen=True, slots=True)
class File:
    """One file a dataset is read from.

    Parameters
    ----------
    name
        File name looked for on the data search path, in the package, in the cache and, last, in
        the download.
    sha256
        SHA-256 of the file with its newlines normalised to LF.
    url
        Where it is downloaded from; empty where the file cannot be downloaded.
    member
        The exact name of the file inside `url` where that is a zip archive; ``inner.zip!name``
        where that archive holds another.
    package
        The copy that ships with an installed package, as ``package:path``; with the suffix
        ``.xz`` it is compressed, which pandas reads as it is. Empty where none ships.
    """

    name: str
    sha256: str
    url: str = ""
    member: str = ""
    package: str = ""


class Locate(Protocol):
    """Finds a verified local copy of a `File`: search path, package, cache, then download."""

    def __call__(self, file: File, /) -> Path: ...


@dataclass(frozen=True, slots=True)
class ProtectedColumn:
    """How a column of a table serves as protected attribute; `labels` names its values."""

    kind: ProtectedKind
    labels: Mapping[object, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Roles:
    """What the columns of a table can be used for.

    Parameters
    ----------
    targets
        Columns that can be predicted; the first is the default.
    protected
        Columns that can be protected attributes; the first is the default.
    cluster
        Column whose equal values mark rows that belong together (one person), if any.
    excluded
        Columns that are no feature unless asked for, beside targets, protected and cluster.
    """

    targets: tuple[str, ...]
    protected: Mapping[str, ProtectedColumn]
    cluster: str | None = None
    excluded: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Card:
    """Data card: what a reader must know before trusting a number computed on this dataset.

    `dropped` pairs a reason with the number of rows dropped for it.
    """

    title: str
    source: str
    licence: str
    citation: str = ""
    caveats: tuple[str, ...] = ()
    warning: str = ""
    rows: int = 0
    dropped: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, slots=True)
class DatasetSpec:
    """Which dataset, and which of its columns play which part. Part of a study.

    Parameters
    ----------
    name
        Name of a dataset plugin (`dist:name` where two offer it), or the path of a CSV or
        Parquet file.
    targets
        Columns to predict, the first being the main one; empty for the dataset's default.
    protected
        Protected attributes, the first being the one methods train on; empty for the default.
    features
        Edits of the default features: ``+column`` adds, ``-column`` removes; names without a
        sign replace the default by exactly these.
    cluster
        Column that marks rows belonging together; empty for the dataset's default.
    bins
        Number of quantile groups that a continuous protected attribute is cut into.
    label
        Tells two uses of one dataset apart in reports; defaults to the dataset's name.
    """

    name: str
    targets: tuple[str, ...] = ()
    protected: tuple[str, ...] = ()
    features: tuple[str, ...] = ()
    cluster: str = ""
    bins: int = 2
    label: str = ""


@dataclass(frozen=True)
class Protected:
    """A protected attribute over rows.

    Attributes
    ----------
    values : (n,) float
        0/1 for binary, the group index for categorical, the value itself for continuous.
    groups : (n,) int
        Index into `labels`: the value, or the quantile bin of a continuous attribute.
    """

    name: str
    kind: ProtectedKind
    values: FloatArray
    groups: IntArray
    labels: tuple[str, ...]

    def rows(self, index: IntArray, /) -> Protected:
        """The attribute on the rows of `index` only; `labels` stay those of the whole."""
        return Protected(self.name, self.kind, self.values[index], self.groups[index], self.labels)


@dataclass(frozen=True)
class Dataset:
    """Numbers ready for training: no missing and no infinite value in any array.

    Attributes
    ----------
    features : (n, d) float
        In their own units; scaling is fitted per split, on its training rows.
    targets : (n, t) float
        In their own units, column 0 the main target.
    protected
        At least one attribute; the first is the one methods train on.
    clusters : (n,) int or None
        Rows with equal numbers belong together and never straddle a split.
    """

    name: str
    features: FloatArray
    feature_names: tuple[str, ...]
    targets: FloatArray
    target_names: tuple[str, ...]
    protected: tuple[Protected, ...]
    clusters: IntArray | None
    cluster_name: str
    card: Card

    @property
    def rows(self) -> int:
        """Number of rows n."""
        return int(self.features.shape[0])

    @cached_property
    def digest(self) -> str:
        """SHA-256 over every array and name: equal digests mean equal numbers."""
        sha = hashlib.sha256()
        names = [*self.feature_names, "|", *self.target_names, "|", self.cluster_name]
        arrays: list[NDArray[Any]] = [self.features, self.targets]
        for attribute in self.protected:
            names += ["|", attribute.name, attribute.kind, *attribute.labels]
            arrays += [attribute.values, attribute.groups]
        if self.clusters is not None:
            arrays.append(self.clusters)
        sha.update("\x1f".join(names).encode())
        for array in arrays:
            sha.update(str((array.shape, array.dtype.str)).encode())
            sha.update(array.tobytes())
        return sha.hexdigest()


class DatasetSource(ABC):
    """What a dataset plugin writes: where the table comes from and what its columns are.

    A plugin reads; the core selects columns, drops unusable rows (and counts them), encodes
    text, and builds the `Dataset`, so that every dataset treats these alike.
    """

    card: ClassVar[Card]
    roles: ClassVar[Roles]
    files: ClassVar[tuple[File, ...]] = ()

    @abstractmethod
    def table(self, locate: Locate) -> pd.DataFrame:
        """The raw table, one row per example, read from `locate(file)` for each of `files`."""
