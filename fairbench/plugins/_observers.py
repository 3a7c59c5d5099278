"""Observers: plugins that are told what happens in a run, and cannot disturb it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fairbench.aside import aside
from fairbench.errors import told
from fairbench.plugins.hookspecs import OBSERVERS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fairbench.plugins._discover import Loaded, Problem

__all__ = ["Observers"]


class Observers:
    """Calls the observing hooks of every plugin; one that raises is not called again.

    Attributes
    ----------
    problems
        The observers that raised, in the order in which they did.
    """

    def __init__(self, loaded: Sequence[Loaded], /) -> None:
        self._observing = [each for each in loaded if _observes(each)]
        self.problems: list[Problem] = []

    def run_started(self, run: str, /) -> None:
        """The run in folder `run` begins or resumes."""
        self._tell("fairbench_run_started", run=run)

    def chunk_finished(self, run: str, chunk: str, /) -> None:
        """The chunk with key `chunk` is on disk."""
        self._tell("fairbench_chunk_finished", run=run, chunk=chunk)

    def run_finished(self, run: str, /) -> None:
        """Every chunk of the run is on disk."""
        self._tell("fairbench_run_finished", run=run)

    def _tell(self, hook: str, /, **arguments: str) -> None:
        for each in tuple(self._observing):
            assert each.manager is not None
            try:
                with aside():
                    getattr(each.manager.hook, hook)(**arguments)
            except KeyboardInterrupt:
                raise
            except BaseException as error:
                self._observing.remove(each)
                what = f"{hook} raises {told(error)}"
                hint = "it was not called again; report it to its authors"
                self.problems.append(each.plugin.problem(what, hint))


def _observes(each: Loaded) -> bool:
    if each.manager is None:
        return False
    return any(getattr(each.manager.hook, hook).get_hookimpls() for hook in OBSERVERS)
