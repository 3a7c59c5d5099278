"""The live display of a run, on standard error; without a terminal only failures are told."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from rich.console import Console, Group
from rich.live import Live as RichLive
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.text import Text

if TYPE_CHECKING:
    from fairbench.execute import Outcome
    from fairbench.plugins import Component
    from fairbench.study import Plan

__all__ = ["Live"]


class Live:
    """Trials done, seconds left, speed, and the best point so far of every dataset."""

    def __init__(self) -> None:
        self._console = Console(stderr=True)
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            console=self._console,
        )
        self._display: RichLive | None = None
        self._best: dict[str, tuple[float, str]] = {}
        self._steps = self._trials = self._failed = 0

    def started(self, plan: Plan, folder: Path, done: int, total: int, /) -> None:
        """Begin; trials of an earlier sitting count as done."""
        self._plan, self._since = plan, time.perf_counter()
        self._metric = _error_metric(plan)
        self._task = self._bar.add_task("trials", total=total, completed=done)
        again = f", {done} of them done before" if done else ""
        self._console.print(f"{total} trials{again}; run folder {folder}", highlight=False)
        if self._console.is_terminal and done < total:
            self._display = RichLive(self._view(), console=self._console, refresh_per_second=4)
            self._display.start()

    def noted(self, note: str, /) -> None:
        """Say what should be known before training."""
        self._console.print(f"Note: {note}", style="yellow", markup=False, highlight=False)

    def finished(self, outcome: Outcome, /) -> None:
        """Count a chunk."""
        trials = len(outcome.job.chunk.trials)
        if outcome.trained is None:
            self._failed += trials
            self._console.print(
                f"{outcome.job.chunk.key} failed: {outcome.reason}", style="red", markup=False
            )
        else:
            self._trials += trials
            self._steps += outcome.trained.model_steps
            self._note_best(outcome)
        self._bar.advance(self._task, trials)
        if self._display is not None:
            self._display.update(self._view())

    def stopped(self) -> None:
        """End, leaving the last state on the screen."""
        if self._display is not None:
            self._display.stop()

    def _view(self) -> Group:
        seconds = max(time.perf_counter() - self._since, 1e-9)
        speed = f"{self._trials / seconds:.1f} trials/s  {self._steps / seconds:,.0f} model-steps/s"
        lines = [Text(f"{name}: {best}") for name, (_, best) in self._best.items()]
        if self._failed:
            lines.append(Text(f"{self._failed} trials failed", style="red"))
        return Group(self._bar, Text(speed, style="dim"), *lines)

    def _note_best(self, outcome: Outcome) -> None:
        """Keep the least error on the rows that selection looks at."""
        from fairbench.analyze.evaluate import evaluate

        assert outcome.trained is not None
        chunk = outcome.job.chunk
        dataset = self._plan.datasets[chunk.dataset]
        part = self._plan.protocol.selection
        rows = self._plan.splits[chunk.dataset][chunk.split][part]
        sound = [k for k, p in enumerate(outcome.trained.predictions) if p.status == "ok"]
        if not sound or not rows.size:
            return
        stacked = np.stack([getattr(outcome.trained.predictions[k], part)[:, 0] for k in sound])
        values, _ = evaluate(
            stacked, dataset.targets[rows, 0], dataset.protected[0].rows(rows), [self._metric]
        )
        errors = values[self._metric.name]
        if np.isfinite(errors).any():
            at = int(np.nanargmin(errors))
            least, trial = float(errors[at]), chunk.trials[sound[at]]
            known = self._best.get(chunk.dataset)
            if known is None or least < known[0]:
                text = f"least {part} {self._metric.name} {least:.4g}, {trial.key}"
                self._best[chunk.dataset] = (least, text)


def _error_metric(plan: Plan) -> Component:
    wanted = plan.study.error
    return next(c for c in plan.metrics if wanted in (c.name, c.qualified))
