"""Choose which columns of a table play which part."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fairbench.data.groups import columns_of
from fairbench.errors import DataError, near

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from fairbench.dataset import DatasetSpec, Roles

__all__ = ["Choice", "choose", "kept"]

LISTED = 30
"""How many column names a message lists."""


@dataclass(frozen=True, slots=True)
class Choice:
    """The columns in use; `cluster` is empty where rows stand alone.

    Each of `protected` is the columns of one attribute: several for an intersection.
    """

    targets: tuple[str, ...]
    protected: tuple[tuple[str, ...], ...]
    cluster: str
    features: tuple[str, ...]


def choose(spec: DatasetSpec, names: Sequence[str], roles: Roles | None, where: str) -> Choice:
    """The columns `spec` asks for, its gaps filled from `roles`.

    Features come in the order of the table, whatever the order in `spec`, so that equal
    choices give equal numbers.

    Parameters
    ----------
    names
        Columns of the table, in its order.
    roles
        What a dataset declares; None for a user's table, which declares nothing.

    Raises
    ------
    DataError
        For a column that does not exist, may not play that part, or plays two that exclude
        each other, and where nothing says which column is the target.
    """
    targets = _pick("target", spec.targets, names, tuple(roles.targets) if roles else None, where)
    asked = [columns_of(attribute, names) for attribute in spec.protected]
    flat = [column for columns in asked for column in columns]
    declared = tuple(roles.protected) if roles else None
    chosen = _pick("protected", flat, names, declared, where)
    protected = tuple(asked) or tuple((column,) for column in chosen)
    cluster = spec.cluster or (roles.cluster if roles and roles.cluster else "")
    _known((cluster,) if cluster else (), names, where)
    for columns in protected:
        if protected.count(columns) > 1 or len(set(columns)) < len(columns):
            raise DataError(
                f"protected attribute {'*'.join(columns)!r} stands twice",
                where=where,
                hint="name each protected column once",
            )
    parts = (*targets, *dict.fromkeys(chosen), *((cluster,) if cluster else ()))
    for name in parts:
        if parts.count(name) > 1:
            raise DataError(
                f"column {name!r} is asked for as more than one of target, protected, cluster",
                where=where,
                hint="give each part a column of its own",
            )
    for flag in ("categorical", "numeric", "drop"):
        _known(getattr(spec, flag), names, f"--{flag}, {where}")
    if both := set(spec.categorical) & set(spec.numeric):
        raise DataError(
            f"column {min(both)!r} is asked for as categorical and as numeric",
            where=where,
            hint="keep one of them",
        )
    features = _features(joined(spec.features, names), names, roles, parts, targets, where)
    if clash := set(spec.drop) & {*parts, *kept(spec, names)}:
        raise DataError(
            f"column {min(clash)!r} is dropped and used at once", where=where, hint="keep one"
        )
    features = tuple(name for name in features if name not in set(spec.drop))
    if not features:
        raise _nothing_left(names, where)
    return Choice(targets, protected, cluster, features)


def kept(spec: DatasetSpec, names: Sequence[str]) -> set[str]:
    """Columns that the user wants among the features by name."""
    plain = {item.removeprefix("+") for item in joined(spec.features, names) if item[:1] != "-"}
    return {*plain, *spec.categorical, *spec.numeric}


def joined(items: Sequence[str], names: Sequence[str]) -> tuple[str, ...]:
    """`items` with pieces put together that are one column whose name contains commas.

    The longest run that makes a name of `names` is taken: ``+K``, ``1``, ``2`` is ``+K,1,2``
    where there is such a column.
    """
    known = {_close(name): name for name in names if "," in name}
    if not known:
        return tuple(items)
    found: list[str] = []
    at = 0
    while at < len(items):
        sign = items[at][:1] if items[at][:1] in {"+", "-"} else ""
        for end in range(len(items), at, -1):
            whole = _close(",".join(items[at:end]))
            if name := known.get(whole) or known.get(whole.removeprefix(sign)):
                found.append(name if whole in known else sign + name)
                break
        else:
            end = at + 1
            found.append(items[at])
        at = end
    return tuple(found)


def _close(name: str) -> str:
    """Without the blanks around commas, which a list of names does not keep."""
    return re.sub(r"\s*,\s*", ",", name)


def _nothing_left(names: Sequence[str], where: str) -> DataError:
    return DataError(
        "no feature is left",
        where=where,
        hint=f"add features with --features=+column; columns: {_listed(names)}",
    )


def _pick(
    part: str,
    asked: Sequence[str],
    names: Sequence[str],
    declared: tuple[str, ...] | None,
    where: str,
) -> tuple[str, ...]:
    _known(asked, names, where)
    if declared is None:
        if not asked:
            raise DataError(
                f"no {part} column chosen",
                where=where,
                hint=f"name it with --{part}; columns: {_listed(names)}",
            )
        return tuple(asked)
    for name in asked:
        if name not in declared:
            raise DataError(
                f"column {name!r} is not among the {part} columns of this dataset",
                where=where,
                hint=f"choose from: {', '.join(declared)}",
            )
    return tuple(asked) or declared[:1]


def _features(
    asked: Sequence[str],
    names: Sequence[str],
    roles: Roles | None,
    parts: Sequence[str],
    targets: Sequence[str],
    where: str,
) -> tuple[str, ...]:
    signed = [item for item in asked if item[:1] in {"+", "-"}]
    if signed and len(signed) < len(asked):
        raise DataError(
            f"features mix signed and plain names: {', '.join(asked)}",
            where=where,
            hint="either edit the default with +column and -column, or list every feature",
        )
    wanted = {item[1:] for item in signed if item[0] == "+"}
    unwanted = {item[1:] for item in signed if item[0] == "-"}
    _known([item[1:] for item in signed] or asked, names, where)
    for name in (*asked, *wanted):
        if name in targets:
            raise DataError(
                f"column {name!r} is the target and cannot be a feature",
                where=where,
                hint="leave it out of --features",
            )
    if both := wanted & unwanted:
        raise DataError(
            f"feature {min(both)!r} is both added and removed", where=where, hint="keep one of them"
        )
    if asked and not signed:
        chosen = set(asked)
    else:
        chosen = (set(names) - _no_features(roles) - set(parts) - unwanted) | wanted
    if not chosen:
        raise _nothing_left(names, where)
    return tuple(name for name in names if name in chosen)


def _no_features(roles: Roles | None) -> set[str]:
    if roles is None:
        return set()
    cluster = (roles.cluster,) if roles.cluster else ()
    return {*roles.targets, *roles.protected, *cluster, *roles.excluded}


def _known(asked: Iterable[str], names: Sequence[str], where: str) -> None:
    known = set(names)
    for name in asked:
        if name not in known:
            hint = near(name, names)
            if hint.startswith("known"):
                hint = f"columns: {_listed(names)}"
            raise DataError(f"no column {name!r}", where=where, hint=hint)


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - LISTED} more" if len(names) > LISTED else ""
    return ", ".join(names[:LISTED]) + more
