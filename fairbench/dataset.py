"""Datasets: a table with features, targets, protected attributes and, optionally, clusters."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Protocol

from annotated_types import Ge

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    BoolArray = NDArray[np.bool_]
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
        SHA-256 of the file with its newlines normalised to LF. Empty where the publisher's copy
        has no known hash: such a file is read where the user put it, and never downloaded.
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
        ``race*sex`` is the groups that two or more attributes form together.
    features
        Edits of the default features: ``+column`` adds, ``-column`` removes; names without a
        sign replace the default by exactly these.
    cluster
        Column that marks rows belonging together; empty for the dataset's default.
    bins
        Number of quantile groups that a continuous protected attribute is cut into.
    min_group
        Rows of the table below which a group is left out of every disparity. None leaves out
        those with fewer than 50 as long as two others remain.
    merge_groups
        Whether such groups are merged into one, ``other``, which is compared if it is large
        enough, rather than left out one by one.
    label
        Tells two uses of one dataset apart in reports; defaults to the dataset's name.
    options
        Of the dataset's plugin: ``{"rows": 10000}`` for ``synthetic``.
    """

    name: str
    targets: tuple[str, ...] = ()
    protected: tuple[str, ...] = ()
    features: tuple[str, ...] = ()
    cluster: str = ""
    bins: int = 2
    min_group: Annotated[int, Ge(1)] | None = None
    merge_groups: bool = False
    label: str = ""
    options: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Protected:
    """A protected attribute over rows.

    Attributes
    ----------
    values : (n,) float
        0/1 for binary, the group index for categorical, the value itself for continuous.
    groups : (n,) int
        Index into `labels`: the value, or the quantile bin of a continuous attribute.
    small
        Those of `labels` whose groups have too few rows to be compared: methods train on them
        and errors count them, but no disparity does.
    """

    name: str
    kind: ProtectedKind
    values: FloatArray
    groups: IntArray
    labels: tuple[str, ...]
    small: tuple[str, ...] = ()

    def rows(self, index: IntArray, /) -> Protected:
        """The attribute on the rows of `index` only; `labels` stay those of the whole."""
        return replace(self, values=self.values[index], groups=self.groups[index])

    @property
    def is_compared(self) -> BoolArray:
        """(n,) bool: rows whose group is not among the `small` ones."""
        import numpy as np

        small = [self.labels.index(label) for label in self.small]
        return np.isin(self.groups, small, invert=True)

    def compared(self) -> Protected:
        """The attribute on rows of `is_compared` only, with the labels of the groups on them."""
        import numpy as np

        kept = [i for i, label in enumerate(self.labels) if label not in self.small]
        place = np.zeros(len(self.labels), dtype=np.int64)
        place[kept] = np.arange(len(kept))
        on = self.rows(np.flatnonzero(self.is_compared))
        return replace(
            on,
            groups=place[on.groups],
            labels=tuple(self.labels[i] for i in kept),
            small=(),
            values=on.values if self.kind == "continuous" else place[on.groups].astype(np.float64),
        )


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
            names += ["~", *attribute.small] if attribute.small else []
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
    text, and builds the `Dataset`, so that every dataset treats these alike. The fields of a
    subclass that is a frozen dataclass are the dataset's options.
    """

    card: ClassVar[Card]
    roles: ClassVar[Roles]

    @property
    def files(self) -> tuple[File, ...]:
        """What the table is read from: a class attribute, unless it depends on options."""
        return ()

    @abstractmethod
    def table(self, locate: Locate) -> pd.DataFrame:
        """The raw table, one row per example, read from `locate(file)` for each of `files`."""
