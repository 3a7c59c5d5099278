"""Steps that are recorded once and replayed.

Launching the operations of a step one by one takes a GPU's host longer than the GPU takes to work
them out. A recorded step (a CUDA graph) is one launch. It reads and writes the memory it was
recorded with, so what differs from step to step is copied there before; Python runs once, so losses
and models that count calls, say, count no further.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import torch
from torch import Tensor

from fairbench.errors import first_line
from fairbench.train.batch import Visits
from fairbench.train.dropout import HeldDraws

__all__ = ["Replay", "record"]

Step = Callable[[Visits, int, int, float, Tensor, Tensor], None]
"""Learns from the batch that begins at a row and has so many, at a learning rate, with a share (S,)
of all steps done; adds losses times rows to sums (S, T)."""


def record(step: Callable[[], None], /) -> Callable[[], None]:
    """Take a step, and return what takes it again: the same operations on the same memory.

    It has been taken before, so that all it keeps is there.

    Raises
    ------
    RuntimeError
        When it does what a recording cannot hold; it has not been taken then.
    """
    graph, stream = torch.cuda.CUDAGraph(), torch.cuda.current_stream()
    try:
        with torch.cuda.graph(graph):  # which only writes down
            step()
    except RuntimeError as error:
        # The end of a recording that broke says no more than that, and leaves its stream in use.
        torch.cuda.set_stream(stream)
        cause = error.__context__
        raise cause if isinstance(cause, RuntimeError) else error from None
    graph.replay()
    return graph.replay


class Replay:
    """The steps of a stack of S trials with T losses, one recording for each size of a batch.

    Parameters
    ----------
    like
        A tensor (S, T) of the stack's type and device.
    draws
        Random numbers that a step takes.
    notes
        Where it says why steps are not recorded after all.
    """

    def __init__(self, like: Tensor, draws: Sequence[HeldDraws], notes: list[str], /) -> None:
        self._total, self._done = torch.zeros_like(like), like.new_zeros(len(like))
        self._draws, self._notes = draws, notes
        self._places: dict[int, Visits] = {}
        self._recorded: dict[int, Callable[[], None]] = {}
        self._lr = float("nan")
        self._refused = False

    def epoch(
        self, visits: Visits, sizes: Sequence[int], lr: float, before: int, planned: int, step: Step
    ) -> Tensor:
        """Take steps over batches of these sizes; sums (S, T) of every loss times its rows.

        `before` of `planned` steps have been taken.
        """
        if lr != self._lr:  # which recordings hold as a number
            self._lr = lr
            self._recorded.clear()
        self._total.zero_()
        start = 0
        for number, rows in enumerate(sizes, before):
            for draws in self._draws:
                draws.advance()
            self._done.fill_(number / planned)
            warm = rows in self._places
            place = self._show(visits, start, rows)
            now = partial(step, place, 0, rows, lr, self._done, self._total)
            self._take(rows, now, warm)
            start += rows
        return self._total.clone()

    def refuse(self, reason: str, /) -> None:
        """Record no more steps, and say why."""
        self._refused = True
        self._recorded.clear()  # and the memory they hold
        if (note := f"steps are not recorded: {reason}") not in self._notes:
            self._notes.append(note)

    def _show(self, visits: Visits, start: int, rows: int) -> Visits:
        """A batch, where the recorded step for its size looks for it."""
        at = slice(start, start + rows)
        features, table = visits.features[:, at], visits.table[:, at]
        if rows not in self._places:
            self._places[rows] = Visits(features.clone(), table.clone(), visits.streams)
        else:
            self._places[rows].features.copy_(features)
            self._places[rows].table.copy_(table)
        return self._places[rows]

    def _take(self, rows: int, step: Callable[[], None], warm: bool) -> None:
        if self._refused or not warm:
            step()
        elif rows in self._recorded:
            self._recorded[rows]()
        else:
            try:
                self._recorded[rows] = record(step)
            except RuntimeError as error:  # it wants to know a number, say
                self.refuse(first_line(error))
                step()
