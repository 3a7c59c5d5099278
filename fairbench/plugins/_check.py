"""Does a plugin keep its contract? Examined one plugin at a time, each in its own manager."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from typing import Any, Literal, cast, get_args, get_origin, get_type_hints

import pluggy

from fairbench.errors import PluginError, near, told
from fairbench.plugins import hookspecs
from fairbench.plugins.descriptions import API_VERSION, Description
from fairbench.plugins.hookspecs import OBSERVERS, OFFERS, PROJECT

__all__ = ["check", "manage", "offered"]

HOOKS = (*OFFERS, *OBSERVERS)
NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
TARGET = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*(\.[^\W\d]\w*)*")


def manage(plugin: object, /) -> pluggy.PluginManager:
    """A manager that holds `plugin` alone, so that no plugin can wrap or break another's hooks.

    Raises
    ------
    PluginError
        Where the plugin implements no hook, or one that does not exist, or with other
        arguments than the hook has.
    """
    manager = pluggy.PluginManager(PROJECT)
    manager.add_hookspecs(hookspecs)
    _check_hooks(plugin, manager)
    try:
        manager.register(plugin)
    except pluggy.PluginValidationError as error:
        raise PluginError(
            " ".join(str(error).split()), hint="give the hook the arguments its documentation lists"
        ) from error
    return manager


def _check_hooks(plugin: object, manager: pluggy.PluginManager) -> None:
    implemented = dict(_implemented(plugin, manager))
    for attribute, hook in implemented.items():
        if hook not in HOOKS:
            raise PluginError(
                f"{attribute!r} implements no hook of fairbench", hint=near(hook, HOOKS)
            )
    for name in dir(plugin):
        if name in HOOKS and name not in implemented:
            raise PluginError(
                f"{name!r} is not marked as a hook implementation",
                hint="decorate it with fairbench.plugins.hookimpl",
            )
    if not implemented:
        raise PluginError(
            "it implements no hook",
            hint=f"decorate a function named {HOOKS[0]} or the like with "
            "fairbench.plugins.hookimpl, or name its module in the entry point",
        )


def _implemented(plugin: object, manager: pluggy.PluginManager) -> Iterator[tuple[str, str]]:
    for name in dir(plugin):
        options = manager.parse_hookimpl_opts(plugin, name)
        if options is None:
            continue
        hook = options.get("specname") or name
        if hook in HOOKS or not options.get("optionalhook"):
            yield name, hook


def offered(manager: pluggy.PluginManager, /) -> tuple[Description, ...]:
    """Every description that the plugin in `manager` yields, checked.

    Raises
    ------
    PluginError
        Where a hook raises, or yields anything but sound descriptions of its kind.
    """
    found: dict[tuple[str, str], Description] = {}
    for hook, kind in OFFERS.items():
        for description in _called(manager, hook):
            if not isinstance(description, kind):
                raise PluginError(
                    f"{hook} yields {_short(description)}", hint=f"yield {kind.__name__} objects"
                )
            check(description)
            key = (description.kind, description.name)
            if key in found:
                raise PluginError(
                    f"it offers two {description.kind}s named {description.name!r}",
                    hint="rename one",
                )
            found[key] = description
    return tuple(found.values())


def _called(manager: pluggy.PluginManager, hook: str) -> list[object]:
    caller: pluggy.HookCaller = getattr(manager.hook, hook)
    if not caller.get_hookimpls():
        return []
    try:
        results = caller()
        if not results or not all(isinstance(r, Iterable) for r in results):
            wrong = _short(results[0]) if results else "nothing"
            raise PluginError(
                f"{hook} returns {wrong}", hint="return a list of descriptions, or yield them"
            )
        return [description for result in results for description in result]
    except PluginError:
        raise
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        raise PluginError(
            f"{hook} raises {told(error)}", hint="report it to its authors"
        ) from error


def check(description: Description, /) -> None:
    """Raise `PluginError` where a field of `description` breaks the contract."""
    at = f"{description.kind} {_short(description.name)}"
    if type(description.api) is int and description.api != API_VERSION:
        newer = "fairbench" if description.api > API_VERSION else "the plugin"
        raise PluginError(
            f"{at} is written for version {description.api} of the plugin contract, "
            f"this fairbench speaks {API_VERSION}",
            hint=f"upgrade {newer}",
        )
    for name, hint in _hints(cast(Any, type(description))).items():
        value = getattr(description, name)
        if (allowed := _mismatch(value, hint)) is not None:
            raise PluginError(f"{at} has {name}={_short(value)}", hint=f"make it {allowed}")
    _check_text(description, at)


def _check_text(description: Description, at: str) -> None:
    if not NAME.fullmatch(description.name):
        raise PluginError(
            f"{at} has a bad name", hint="use lower-case words and digits joined by hyphens"
        )
    if not TARGET.fullmatch(description.target):
        raise PluginError(
            f"{at} has target={_short(description.target)}", hint="write package.module:Object"
        )
    if not description.summary or not description.summary.isprintable():
        raise PluginError(
            f"{at} has summary={_short(description.summary)}", hint="describe it in one line"
        )
    for name in ("citation", "warning"):
        # Printed to terminals as it is: an escape sequence must not get through.
        if not getattr(description, name).replace("\n", "").isprintable():
            raise PluginError(f"{at} has control characters in its {name}", hint="remove them")


@cache
def _hints(kind: Any) -> Mapping[str, Any]:
    hints = get_type_hints(kind)
    return {name: hint for name, hint in hints.items() if name in kind.__dataclass_fields__}


def _mismatch(value: object, hint: Any) -> str | None:
    """Return what a field declared as `hint` may be, or None where `value` is such a thing."""
    if get_origin(hint) is Literal:
        allowed = get_args(hint)
        return None if value in allowed else f"one of {', '.join(map(repr, allowed))}"
    if get_origin(hint) is tuple:
        item = get_args(hint)[0]
        fine = isinstance(value, tuple) and all(isinstance(v, item) for v in value)
        return None if fine else f"a tuple of {item.__name__}"
    if isinstance(hint, type):
        return None if type(value) is hint else f"of type {hint.__name__}"
    return None


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
