"""The options of a component: the fields of its dataclass, described and validated."""

from __future__ import annotations

import math
import re
import types
from dataclasses import MISSING, Field, dataclass, fields, is_dataclass
from inspect import cleandoc
from typing import (
    TYPE_CHECKING,
    Annotated,
    Any,
    Literal,
    Union,
    get_args,
    get_origin,
    get_type_hints,
)

from annotated_types import Ge, GroupedMetadata, Gt, Le, Lt, MaxLen, MinLen, MultipleOf

from fairbench.aside import aside
from fairbench.errors import FairbenchError, PluginError, StudyError, near, told

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["REQUIRED", "Option", "instantiate", "options"]

MOST_SHOWN = 200
"""Characters of a bad value that a message shows."""


class _Required:
    """Stands for the default of an option that has none."""

    def __repr__(self) -> str:
        return "required"


REQUIRED = _Required()

_BOUNDS: tuple[tuple[type, str, str], ...] = (
    (Ge, "ge", "≥ {}"),
    (Gt, "gt", "> {}"),
    (Le, "le", "≤ {}"),
    (Lt, "lt", "< {}"),
    (MultipleOf, "multiple_of", "a multiple of {}"),
    (MinLen, "min_length", "at least {} of them"),
    (MaxLen, "max_length", "at most {} of them"),
)


@dataclass(frozen=True, slots=True)
class Option:
    """One option of a component.

    Attributes
    ----------
    type
        What it may be, in words and bounds: ``float, ≥ 0``.
    default
        Its value where none is given; `REQUIRED` where one must be.
    doc
        Its entry in the Parameters section of the class docstring; may be empty.
    """

    name: str
    type: str
    default: object
    doc: str = ""


def options(target: object, /) -> tuple[Option, ...]:
    """The options of a component's target: none unless it is a dataclass.

    Raises
    ------
    PluginError
        Where an annotation cannot be resolved at run time.
    """
    hints = _hints(target)
    docs = _docs(target) if hints else {}
    return tuple(
        Option(f.name, _text(hints[f.name]), _default(f), docs.get(f.name, ""))
        for f in _fields(target)
    )


def instantiate(target: Any, given: Mapping[str, object], /, *, of: str) -> Any:
    """The object that `target` makes of the options `given`.

    A class is instantiated; anything else (a function) is what it is and takes no option.
    Values may be of their type or its text, as flags give them; a list's text is
    comma-separated, and ``none`` means None where that is allowed.

    Raises
    ------
    StudyError
        Where an option is unknown, missing or has a value that is not allowed.
    PluginError
        Where the target cannot be instantiated at all.
    """
    hints = _hints(target)
    for name in given:
        if name not in hints:
            raise StudyError(f"{of} has no option {name!r}", hint=near(name, hints))
    for field in _fields(target):
        if field.name not in given and _default(field) is REQUIRED:
            raise StudyError(
                f"{of} needs its option {field.name!r}", hint=f"give it: {_text(hints[field.name])}"
            )
    if not isinstance(target, type):
        return target
    values = {
        name: _validated(value, hints[name], name=name, of=of) for name, value in given.items()
    }
    try:
        with aside():
            return target(**values)
    except (FairbenchError, KeyboardInterrupt):
        raise
    except ValueError as error:  # what a __post_init__ says of a combination of options
        raise StudyError(f"{of}: {error}", hint=_all_allowed(target)) from error
    except BaseException as error:
        raise PluginError(
            f"{of} cannot be instantiated: {told(error)}",
            hint="report it to the plugin's authors",
        ) from error


def _all_allowed(target: object) -> str:
    return "; ".join(f"{option.name}: {option.type}" for option in options(target))


def _fields(target: object) -> tuple[Field[Any], ...]:
    if not (isinstance(target, type) and is_dataclass(target)):
        return ()
    return tuple(field for field in fields(target) if field.init)


def _hints(target: object) -> dict[str, Any]:
    names = [field.name for field in _fields(target)]
    if not names:
        return {}
    try:
        hints = get_type_hints(target, include_extras=True)
    except Exception as error:
        raise PluginError(
            f"the option types of {target!r} cannot be resolved: {error}",
            hint="import the names in its annotations at run time, not under TYPE_CHECKING only",
        ) from error
    return {name: hints[name] for name in names}


def _default(field: Field[Any]) -> object:
    if field.default is not MISSING:
        return field.default
    return REQUIRED if field.default_factory is MISSING else field.default_factory()


def _validated(value: object, hint: Any, *, name: str, of: str) -> object:
    from pydantic import PydanticSchemaGenerationError, TypeAdapter, ValidationError

    where = f"option {name!r} of {of}"
    try:
        adapter = TypeAdapter(hint)
    except PydanticSchemaGenerationError as error:
        raise PluginError(
            f"{where} has a type that no value can be checked against",
            hint="annotate it with plain types, or a dataclass of them",
        ) from error
    if isinstance(value, bool) and not _takes_truth(hint):
        raise StudyError(
            f"{where} is {str(value).lower()}: a value is needed, not whether",
            hint=f"allowed: {_text(hint)}",
        )
    first: ValidationError | None = None
    for reading in _readings(value):
        try:
            return _finite(adapter.validate_python(reading), where)
        except ValidationError as error:
            first = first or error
    assert first is not None
    why = first.errors(include_url=False)[0]["msg"]
    raise StudyError(
        f"{where} is {_short(value)}: {why[0].lower()}{why[1:]}", hint=f"allowed: {_text(hint)}"
    )


def _short(value: object) -> str:
    shown = repr(value)
    return shown if len(shown) <= MOST_SHOWN else f"{shown[:MOST_SHOWN]}…"


def _takes_truth(hint: Any) -> bool:
    """Say whether true and false are values of a type, other than as Python's 1 and 0."""
    if hint in (bool, Any, object):
        return True
    if get_origin(hint) is Literal:
        return any(isinstance(value, bool) for value in get_args(hint))
    return any(_takes_truth(part) for part in get_args(hint))


def _readings(value: object) -> Iterator[object]:
    """`value`, then what else its text can mean on a command line."""
    yield value
    if isinstance(value, str):
        if value.lower() == "none":
            yield None
        yield [part.strip() for part in value.split(",")]


def _finite(value: object, where: str) -> object:
    """Refuse what a float without bounds would take, and no file of a run can hold."""
    if isinstance(value, float) and not math.isfinite(value):
        name = "NaN" if math.isnan(value) else "infinite"
        raise StudyError(f"{where} is {name}", hint="give a finite number")
    return value


def _text(hint: Any) -> str:
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return ", ".join([_text(arguments[0]), *_bounds(arguments[1:])])
    if origin is Literal:
        return " | ".join(map(repr, arguments))
    if origin in (Union, types.UnionType):
        return " | ".join(map(_text, arguments))
    if origin is not None and arguments:
        return f"{origin.__name__}[{', '.join(map(_text, arguments))}]"
    if hint is Ellipsis:
        return "..."
    if hint is type(None):
        return "none"
    return getattr(hint, "__name__", None) or str(hint)


def _bounds(metadata: tuple[object, ...]) -> Iterator[str]:
    for item in metadata:
        if isinstance(item, GroupedMetadata):
            yield from _bounds(tuple(item))
        for kind, attribute, text in _BOUNDS:
            if isinstance(item, kind):
                yield text.format(getattr(item, attribute))


def _docs(target: object) -> dict[str, str]:
    """Return what the NumPy-style Parameters sections of a class and its bases say, by name."""
    docs: dict[str, str] = {}
    for base in reversed(getattr(target, "__mro__", ())):
        docs |= _parameters(cleandoc(vars(base).get("__doc__") or ""))
    return docs


def _parameters(docstring: str) -> dict[str, str]:
    section = re.search(
        r"^Parameters\n-{3,}\n(.*?)(?=^\S[^\n]*\n-{3,}$|\Z)", docstring, re.M | re.S
    )
    docs: dict[str, str] = {}
    if section is None:
        return docs
    for entry in re.split(r"^(?=\S)", section[1], flags=re.M):
        head, _, body = entry.partition("\n")
        for name in head.partition(":")[0].split(","):
            docs[name.strip()] = " ".join(body.split())
    docs.pop("", None)
    return docs
