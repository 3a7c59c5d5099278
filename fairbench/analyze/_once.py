"""Tables that a run computes once, for all calls that ask for the same."""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, Concatenate, ParamSpec, Protocol, TypeVar

from fairbench.analyze.view import DECLARED, View
from fairbench.errors import StudyError

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    import pandas as pd

    from fairbench.analyze.axes import Axes

__all__ = ["once", "once_per_axes", "once_per_view"]


class Keeping(Protocol):
    """A run that keeps what it computed: `_own` for what its study declared, `_others` beside."""

    def _own(self, name: str, compute: Callable[[], pd.DataFrame], /) -> pd.DataFrame: ...

    @property
    def _others(self) -> dict[Hashable, pd.DataFrame]: ...

    def axes(self, view: View = ..., /) -> Axes: ...


T = TypeVar("T", bound=Keeping)
P = ParamSpec("P")


def _once(
    decides: Callable[[Keeping, View], Hashable],
) -> Callable[
    [Callable[Concatenate[T, P], pd.DataFrame]], Callable[Concatenate[T, P], pd.DataFrame]
]:
    """Return a decorator of methods whose table follows from what `decides` tells of a view."""

    def decorated(
        method: Callable[Concatenate[T, P], pd.DataFrame],
    ) -> Callable[Concatenate[T, P], pd.DataFrame]:
        @wraps(method)
        def kept(self: T, /, *args: P.args, **kwargs: P.kwargs) -> pd.DataFrame:
            view = args[0] if args else DECLARED
            assert isinstance(view, View)
            decided = decides(self, view)
            if decided == _declared(self, decides):
                return self._own(method.__name__, lambda: method(self, *args, **kwargs)).copy()
            place = (method.__name__, decided)
            if place not in self._others:
                self._others[place] = method(self, *args, **kwargs)
            return self._others[place].copy()

        return kept

    return decorated


def _declared(run: Keeping, decides: Callable[[Keeping, View], Hashable]) -> Hashable:
    """What the study itself decides; nothing else equals it where its metrics are not there."""
    try:
        return decides(run, DECLARED)
    except StudyError:
        return object()


once = _once(lambda run, view: None)
"""Compute a table at the first call; every call gets a copy."""

once_per_axes = _once(lambda run, view: run.axes(view))
"""The same for a table that follows from the two metrics of a view."""

once_per_view = _once(lambda run, view: (run.axes(view), view.tolerance))
"""The same for a table that also follows from the tolerance of a view."""
