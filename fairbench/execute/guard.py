"""Refuse to begin a run in a worker that is still importing the script of another run."""

from __future__ import annotations

import sys
from multiprocessing import current_process

__all__ = ["UnguardedError", "refuse_unguarded"]


class UnguardedError(SystemExit):
    """Ends a worker whose script would start the run once more.

    It is an exit, so that workers that others start (Dask's) end with a message and without a
    traceback.
    """

    what = "the script starts its run again in every worker, which has to import it"
    hint = 'call fairbench.run below `if __name__ == "__main__":`'

    def __init__(self) -> None:
        self.where = sys.argv[0]
        super().__init__(f"Error: {self.what}\n  where: {self.where}\n  hint:  {self.hint}")


def refuse_unguarded() -> None:
    """Raise `UnguardedError` where a worker is importing the script that started it."""
    if getattr(current_process(), "_inheriting", False):  # multiprocessing's own mark
        raise UnguardedError
