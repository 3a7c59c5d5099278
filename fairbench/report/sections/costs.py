"""What each run took."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar

from fairbench.report.blocks import Block, Cells
from fairbench.report.section import Section

if TYPE_CHECKING:
    from fairbench.analyze import Run
    from fairbench.report.contents import Contents

__all__ = ["Costs"]


class Costs(Section):
    """Trials, steps, seconds and the machine of every run."""

    name: ClassVar[str] = "costs"
    title: ClassVar[str] = "Costs"

    def of_report(self, contents: Contents, /) -> Iterator[Block]:
        header = (
            *("run", "trials", "model steps", "training", "wall clock", "jobs", "device"),
            "machine",
        )
        rows = tuple(_cost(run) for run in contents.runs)
        yield Cells(header, rows, numbers=(1, 2, 3, 4, 5), name="costs", title="Costs")


def _cost(run: Run) -> tuple[str, ...]:
    progress, machine = run.manifest["progress"], run.manifest["machine"]
    failed = f", {lost} failed" if (lost := progress.get("trials_failed", 0)) else ""
    return (
        str(run.manifest["title"]),
        f"{progress['trials_done']} of {progress['trials']}{failed}",
        f"{progress['model_steps']:,}",
        f"{progress['train_seconds']:.1f} s",
        f"{progress['wall_seconds']:.1f} s",
        str(progress["jobs"]),
        f"{progress['device']} ({progress['executor']})",
        f"{machine['processor']}, {machine['cores']} cores, {machine['memory_gb']:.0f} GB",
    )
