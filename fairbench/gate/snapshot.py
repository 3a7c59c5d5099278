"""What a run reached at its chosen points, and the baseline file that keeps it."""

from __future__ import annotations

import json
import re
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import from_json

from fairbench.analyze import Correction
from fairbench.errors import BaselineError, near
from fairbench.store import write_bytes

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "FORMAT",
    "DatasetFacts",
    "Place",
    "Point",
    "ProtocolFacts",
    "Record",
    "Snapshot",
    "Tolerance",
    "read",
    "value_key",
    "write",
]

FORMAT: Final = 1
"""Version of the file's layout, in the file."""

Point = Literal["most accurate", "fairest within reach"]
Place = tuple[str, str, str, str, str, str]
"""dataset, target, protected, method, point, metric."""

_KEY = re.compile(r"split (0|[1-9][0-9]{0,8}), seed (0|[1-9][0-9]{0,8})", re.ASCII)
_MEND = "restore the file, or write it anew: fairbench baseline RUN -o {}"


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class Tolerance(_Strict):
    """How much worse a mean may be before it counts, whatever its interval says.

    Either `relative`, a share of the baseline's mean value, or `absolute`, in the metric's unit.
    """

    relative: Annotated[float, Field(ge=0)] | None = None
    absolute: Annotated[float, Field(ge=0)] | None = None

    @model_validator(mode="after")
    def _one(self) -> Tolerance:
        if (self.relative is None) == (self.absolute is None):
            raise ValueError('give either "relative" or "absolute"')
        return self

    def limit(self, before: float, /) -> float:
        """The tolerance in the metric's unit, for a baseline's mean value of `before`."""
        return self.absolute if self.absolute is not None else (self.relative or 0) * abs(before)


class ProtocolFacts(_Strict):
    """What must be the same for two runs to be comparable, beside the data."""

    name: str
    options: dict[str, Any]
    selection: Literal["validation", "test"]


class DatasetFacts(_Strict):
    """A dataset of the run.

    Attributes
    ----------
    digest
        Of the data as they were trained on.
    ratio, df
        How much its splits share, see `fairbench.analyze.Overlap`; files of older versions have no
        `df`, which then is one less than there are splits.
    splits
        A digest of the row numbers of every split: equal digests are the same rows.
    tolerances
        By target and metric.
    """

    digest: str
    ratio: Annotated[float, Field(ge=0)]
    df: Annotated[float, Field(ge=0)] | None = None
    splits: tuple[str, ...]
    tolerances: dict[str, dict[str, Tolerance]]

    @property
    def correction(self) -> Correction:
        """What tests over its splits need to know of them."""
        return Correction(self.ratio, float("inf") if self.df is None else self.df)


class Record(_Strict):
    """Test values of one metric at one point of one method.

    Attributes
    ----------
    values
        By `value_key`; None where no trial of that split and seed had a usable value.
    """

    dataset: str
    target: str
    protected: str
    method: str
    point: Point
    metric: str
    values: dict[str, float | None]

    @property
    def place(self) -> Place:
        """What tells this record from the others."""
        return (self.dataset, self.target, self.protected, self.method, self.point, self.metric)

    @cached_property
    def by_run(self) -> Mapping[tuple[int, int], float | None]:
        """`values` by split and seed."""
        return {_split_and_seed(key): value for key, value in self.values.items()}


class Snapshot(_Strict):
    """The content of a baseline file: what one run reached.

    Attributes
    ----------
    title, study, versions
        The run's title and hash and the versions of its packages: what may explain a change.
    reach
        Share of the baseline method's error by which the fairest point's may exceed it.
    metrics
        Metrics that are gated, with their best values: ``low``, ``high`` or ``one``.
    records
        One per dataset, target, protected attribute, method, point and metric, sorted.
    """

    format: Literal[1] = FORMAT
    title: str
    study: str
    versions: dict[str, str]
    protocol: ProtocolFacts
    reach: Annotated[float, Field(ge=0)]
    metrics: dict[str, Literal["low", "high", "one"]]
    datasets: dict[str, DatasetFacts]
    records: tuple[Record, ...]

    @model_validator(mode="after")
    def _consistent(self) -> Snapshot:
        places = set()
        for number, record in enumerate(self.records):
            if trouble := _trouble(self, record):
                raise ValueError(f"record {number}: {trouble}")
            places.add(record.place)
        if len(places) < len(self.records):
            raise ValueError("two records are of the same metric at the same point")
        return self

    @cached_property
    def by_place(self) -> Mapping[Place, Record]:
        """`records` by what tells them apart."""
        return {record.place: record for record in self.records}


def _trouble(snapshot: Snapshot, record: Record) -> str:
    """What a record says that the rest of the file does not bear out, or nothing."""
    facts = snapshot.datasets.get(record.dataset)
    if facts is None:
        return f"no dataset {record.dataset!r} in this file"
    if record.metric not in snapshot.metrics:
        return f"no metric {record.metric!r} in this file"
    if record.metric not in facts.tolerances.get(record.target, {}):
        return f"no tolerance for {record.metric!r} of target {record.target!r}"
    for key in record.values:
        if not _KEY.fullmatch(key):
            return f"{key!r} does not read 'split K, seed S'"
        if _split_and_seed(key)[0] >= len(facts.splits):
            return f"{key!r} of a dataset with {len(facts.splits)} splits"
    return ""


def value_key(split: int, seed: int, /) -> str:
    """How a baseline file names a split and a seed."""
    return f"split {split}, seed {seed}"


def _split_and_seed(key: str) -> tuple[int, int]:
    split, seed = _KEY.fullmatch(key).groups()  # type: ignore[union-attr]  # checked on reading
    return int(split), int(seed)


def write(snapshot: Snapshot, path: Path, /) -> None:
    """Write a baseline file; equal snapshots give equal bytes, one value per line.

    Raises
    ------
    BaselineError
        Where that is not possible; the file is as it was.
    """
    content = snapshot.model_dump(mode="json")
    for facts in content["datasets"].values():  # a tolerance says one thing only
        for by_metric in facts["tolerances"].values():
            for tolerance in by_metric.values():
                for name in [name for name, value in tolerance.items() if value is None]:
                    del tolerance[name]
    text = json.dumps(content, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False)
    try:
        write_bytes(path, f"{text}\n".encode())
    except OSError as error:
        raise BaselineError(
            f"the baseline file cannot be written: {error.strerror or error}",
            where=str(path),
            hint="choose another place with --out",
        ) from error


def read(path: Path, /) -> Snapshot:
    """Read a baseline file.

    Raises
    ------
    BaselineError
        Where it is missing, damaged, of another format, or holds a key that is not known.
    """
    try:
        if path.exists() and not path.is_file():  # a device may have no end
            raise OSError("it is no regular file")
        content = path.read_bytes()
    except OSError as error:
        raise BaselineError(
            f"the baseline file cannot be read: {error.strerror or error}",
            where=str(path),
            hint=f"name a file that `fairbench baseline RUN -o {path}` wrote",
        ) from error
    try:
        document = from_json(content, allow_inf_nan=False)
    except ValueError as error:
        raise BaselineError(
            f"the baseline file is no JSON: {error}", where=str(path), hint=_MEND.format(path)
        ) from None
    if not isinstance(document, dict):
        raise BaselineError(
            "the baseline file holds no object", where=str(path), hint=_MEND.format(path)
        )
    if (version := document.get("format")) != FORMAT:
        raise BaselineError(
            f"the baseline file has format {version!r:.60}; this fairbench reads {FORMAT}",
            where=str(path),
            hint=_MEND.format(path),
        )
    try:
        return Snapshot.model_validate_json(content)
    except ValidationError as error:
        raise _complaint(error, path) from None


def _complaint(error: ValidationError, path: Path) -> BaselineError:
    """The first of pydantic's complaints, as a message a user can act on."""
    first = error.errors(include_url=False)[0]
    loc = [str(part) for part in first["loc"]]
    place = f"{path}, {'.'.join(loc)}" if loc else str(path)
    if first["type"] == "extra_forbidden":
        known = _fields(loc)
        return BaselineError(f"unknown key {loc[-1]!r}", where=place, hint=near(loc[-1], known))
    if first["type"] == "missing":
        what = f"the key {loc[-1]!r} is missing"
        return BaselineError(what, where=place, hint=_MEND.format(path))
    told = str(first.get("ctx", {}).get("error") or first["msg"])
    told = told[:1].lower() + told[1:]
    return BaselineError(told, where=place, hint=f"correct it, or {_MEND.format(path)}")


def _fields(loc: list[str]) -> list[str]:
    """Keys that are understood beside the last of `loc`."""
    kinds: dict[str, type[BaseModel]] = {"records": Record, "protocol": ProtocolFacts}
    if loc[0] == "datasets":
        return list((Tolerance if "tolerances" in loc[:-1] else DatasetFacts).model_fields)
    return list((kinds.get(loc[0], Snapshot) if len(loc) > 1 else Snapshot).model_fields)
