"""The study: everything that decides a run's numbers. Built from flags, TOML or Python."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Annotated, Any, Literal

from annotated_types import Ge, Le, Lt
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    model_validator,
)

from fairbench.dataset import DatasetSpec
from fairbench.errors import StudyError, near
from fairbench.study.grid import parse_grid
from fairbench.study.primary import PrimarySpec
from fairbench.training import Training

__all__ = ["MethodSpec", "ProtocolSpec", "Study", "training_of", "validated"]

MOST_SHOWN = 200
"""Characters of a bad value that a message shows."""

MOST_REPEATS = 100_000
"""Seeds, and splits, of a study: beyond, somebody mistyped."""

MOST_PARTS = 1_000
"""Methods, and datasets, likewise."""


def _named(value: object) -> object:
    """A bare name stands for the table that holds nothing else."""
    return {"name": value} if isinstance(value, str) else value


def _grid(value: object) -> object:
    if isinstance(value, str):
        try:
            return parse_grid(value)
        except StudyError as error:  # pydantic knows better where it stands
            raise ValueError(f"{error.what}; {error.hint}") from error
    if isinstance(value, list | tuple):
        return [_no_truth(one) for one in value]
    return (_no_truth(value),) if isinstance(value, int | float) else value


def _no_truth(value: object) -> object:
    """TOML's true and Python's are no numbers, though Python counts them among those."""
    if isinstance(value, bool):
        raise ValueError(f"a number is needed, not {str(value).lower()}")
    return value


def _dataset(value: object) -> object:
    named = _named(value)
    if isinstance(named, Mapping):
        for key in ("bins", "min_group"):
            _no_truth(named.get(key))
    return named


_Count = Annotated[int, Ge(1), Le(MOST_REPEATS), BeforeValidator(_no_truth)]


def _words(value: object) -> object:
    return tuple(part.strip() for part in value.split(",")) if isinstance(value, str) else value


@dataclass(frozen=True, slots=True)
class MethodSpec:
    """A method in a study: its plugin name, options, and the values its trade-off takes.

    `label` tells two uses of one method apart; it defaults to the name. `tradeoff` defaults to
    the method's own grid.
    """

    name: str
    label: str = ""
    tradeoff: Annotated[tuple[float, ...] | None, BeforeValidator(_grid)] = None
    options: dict[str, Any] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """The name of the method in reports."""
        return self.label or self.name


@dataclass(frozen=True, slots=True)
class ProtocolSpec:
    """A protocol in a study: its plugin name and options."""

    name: str = "honest"
    options: dict[str, Any] = field(default_factory=dict)


_Method = Annotated[MethodSpec, BeforeValidator(_named)]
_Dataset = Annotated[DatasetSpec, BeforeValidator(_dataset)]
_Protocol = Annotated[ProtocolSpec, BeforeValidator(_named)]


class Study(BaseModel):
    """A study: which methods are compared on which datasets, how often, and how.

    Parameters
    ----------
    methods, datasets
        Names, or tables with options; at least one of each.
    baseline
        Method added when it is not among `methods`; None adds none.
    protocol
        How rows are split, what is selected on what, and how each dataset is trained.
    seeds
        Number of seeds. Alone, each draws a split of its own.
    splits
        Number of splits, each trained with every seed; None pairs split k with seed k. Where
        neither is given there are five splits with two seeds each; docs/statistics.md says why.
    entropy
        Root of all randomness: another value, another set of splits and initial weights.
    training
        Fields of `Training` that override what the protocol says.
    metrics
        Metrics to compute; empty for all that are installed.
    error, disparity
        Axes of the fronts.
    primary
        The analysis that is declared before the run, in these two metrics.
    unfit
        What becomes of a method that refuses a dataset, for its kind of attribute or otherwise:
        ``refuse`` ends the run before anything is trained, ``leave-out`` goes on without that
        method on that dataset, and says so.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(default="", pattern=r"^[\w.-]*$")
    methods: tuple[_Method, ...] = Field(min_length=1, max_length=MOST_PARTS)
    datasets: tuple[_Dataset, ...] = Field(min_length=1, max_length=MOST_PARTS)
    baseline: str | None = "single-task"
    protocol: _Protocol = ProtocolSpec()
    seeds: _Count = 2
    splits: _Count | None = None
    entropy: Annotated[int, Ge(0), Lt(2**128), BeforeValidator(_no_truth)] = 0
    training: dict[str, Any] = Field(default_factory=dict)
    metrics: Annotated[tuple[str, ...], BeforeValidator(_words)] = ()
    error: str = "rmse"
    disparity: str = "rmse-disparity"
    primary: PrimarySpec = PrimarySpec()
    unfit: Literal["refuse", "leave-out"] = "refuse"

    @model_validator(mode="before")
    @classmethod
    def _repeated(cls, given: Any) -> Any:
        """Five splits where neither splits nor seeds are given."""
        if isinstance(given, Mapping) and "seeds" not in given and "splits" not in given:
            return {**given, "splits": 5}
        return given

    @property
    def title(self) -> str:
        """The study's name, or one made of its parts."""
        if self.name:
            return self.name
        methods = [m.title for m in self.methods]
        parts = methods if len(methods) <= 3 else [*methods[:2], f"{len(methods) - 2}-more"]
        stems = [d.name.rsplit("/", 1)[-1].split(".", 1)[0] for d in self.datasets]
        return "-".join([*parts, "on", *stems])[:80]

    @property
    def repeats(self) -> tuple[tuple[int, int], ...]:
        """Every (split, seed) pair that is trained, in order."""
        if self.splits is None:
            return tuple((k, k) for k in range(self.seeds))
        return tuple((split, seed) for split in range(self.splits) for seed in range(self.seeds))

    def canonical(self) -> str:
        """JSON in one fixed spelling: equal studies, equal text."""
        return json.dumps(self.model_dump(mode="json"), sort_keys=True, ensure_ascii=False)

    @property
    def ordered(self) -> Study:
        """The same study with its methods and datasets in one fixed order."""
        return self.model_copy(
            update={
                "methods": tuple(sorted(self.methods, key=lambda m: m.title)),
                "datasets": tuple(sorted(self.datasets, key=lambda d: (d.label, d.name))),
            }
        )

    def digest(self, *more: str) -> str:
        """SHA-256 of what decides the predictions: the study but for its name and its view.

        The order of methods and of datasets belongs to the view.
        """
        shown: dict[str, Any] = {"name": "", "metrics": (), "error": "", "disparity": ""}
        shown["primary"] = PrimarySpec()
        trained = self.ordered.model_copy(update=shown).canonical()
        text = "\x1f".join([trained, *more])  # names of files may be no Unicode
        return hashlib.sha256(text.encode(errors="backslashreplace")).hexdigest()


def validated(values: Mapping[str, Any], /, locate: Callable[[Sequence[str | int]], str]) -> Study:
    """A study from plain values; pydantic's complaints become one message a user can act on.

    `locate` says where the key at a path stands: in which file and line, or behind which flag.
    """
    try:
        study = Study(**values)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = locate(first["loc"])
        path = ".".join(map(str, first["loc"]))
        if first["type"] in ("extra_forbidden", "unexpected_keyword_argument"):
            key = str(first["loc"][-1])
            raise StudyError(
                f"unknown key {path!r}", where=where, hint=near(key, _siblings(first["loc"]))
            ) from None
        if first["type"] == "missing":
            raise StudyError(f"{path!r} is missing", where=where, hint="add it") from None
        raise StudyError(_complaint(path, first), where=where, hint="correct this value") from None
    training_of(Training(), study.training, locate)
    return study


def _complaint(path: str, first: Mapping[str, Any]) -> str:
    message = str(first.get("ctx", {}).get("error") or first["msg"])
    message = message.replace("valid tuple", "list").replace("valid dictionary", "table")
    message = re.sub(r"a dictionary or an instance of \w+", "a name or a table", message)
    shown = repr(first["input"])
    if len(shown) > MOST_SHOWN:
        shown = f"{shown[:MOST_SHOWN]}…"
    return f"{path} = {shown}: {message[:1].lower()}{message[1:]}"


def _siblings(loc: tuple[int | str, ...]) -> list[str]:
    """The keys that would have been understood where an unknown one stood."""
    parts: dict[str, type] = {
        "methods": MethodSpec,
        "datasets": DatasetSpec,
        "protocol": ProtocolSpec,
        "primary": PrimarySpec,
    }
    if len(loc) > 1 and (kind := parts.get(str(loc[0]))):
        return [f.name for f in fields(kind)]
    return list(Study.model_fields)


def training_of(
    base: Training,
    overrides: Mapping[str, Any],
    /,
    locate: Callable[[Sequence[str | int]], str] = lambda path: ".".join(map(str, path)),
) -> Training:
    """`base` with the user's own settings, validated."""
    known = {f.name for f in fields(Training)}
    for key in overrides:
        if key not in known:
            raise StudyError(
                f"unknown key 'training.{key}'",
                where=locate(("training", key)),
                hint=near(key, known),
            )
        if isinstance(overrides[key], bool) and not isinstance(getattr(base, key), bool):
            raise StudyError(
                f"training.{key} = {str(overrides[key]).lower()}: a value is needed, not whether",
                where=locate(("training", key)),
                hint="correct this value",
            )
    try:
        return TypeAdapter(Training).validate_python({**asdict(base), **overrides})
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        path = ".".join(map(str, ("training", *first["loc"])))
        where = locate(("training", *first["loc"]))
        raise StudyError(_complaint(path, first), where=where, hint="correct this value") from None
