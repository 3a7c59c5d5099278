"""`fairbench reproduce paper`: run the readings, measure them, and write it all down."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from fairbench.reproduction import Order, Reproduced, Reproduction
from fairbench_paper.reproduction.readings import FULL, QUICK, READINGS, Reading, Scale
from fairbench_paper.reproduction.results import DatasetResult, Results, Unit
from fairbench_paper.reproduction.storage import plain
from fairbench_paper.reproduction.studies import study

if TYPE_CHECKING:
    from fairbench.analyze import Run
    from fairbench.plugins import Registry
    from fairbench.progress import Progress

__all__ = ["PaperReproduction", "reproduce"]

UNITS: Mapping[str, Unit] = {"boston": "mse", "parkinson": "rmse"}
"""What the columns headed RMSE hold: see the units in the report."""


@dataclass(frozen=True)
class PaperReproduction(Reproduction):
    """Every table and figure of the paper, in every reading its text allows.

    Trains a centre reading of each dataset on many splits, departures from it one at a time on
    fewer, the honest protocol with other methods beside, and copies of the baseline that differ
    in nothing but the seed.
    """

    datasets: ClassVar[tuple[str, ...]] = tuple(READINGS)

    def run(self, order: Order, /) -> Reproduced:
        from fairbench_paper.reproduction.documents import documents
        from fairbench_paper.reproduction.render import terminal

        scale = QUICK if order.quick else FULL
        if order.seeds is not None:
            scale = replace(
                scale,
                seeds=order.seeds,
                others=min(scale.others, order.seeds),
                noisy=min(scale.noisy, order.seeds),
            )
        results = reproduce(
            order.datasets, scale, order.out, jobs=order.jobs, progress=order.progress
        )
        return Reproduced(terminal(results), documents(results), plain(results))


def reproduce(
    datasets: Sequence[str],
    scale: Scale,
    out: Path,
    /,
    *,
    jobs: int | None = None,
    progress: Callable[[str], Progress] | None = None,
    registry: Registry | None = None,
) -> Results:
    """Train what is missing under `out` and measure it against the paper.

    Parameters
    ----------
    datasets
        ``boston``, ``parkinson`` or both.
    scale
        How much is trained: `FULL`, `QUICK` or one's own.
    out
        Folder for one run folder per reading; finished ones are read, others continued.
    jobs
        Chunks trained at once; one per core if left out.
    progress
        Makes the follower of the run of that name.

    Raises
    ------
    FairbenchError
        Where a dataset is not at hand, or `out` holds runs of another scale or version.
    """
    runs = {dataset: _runs(dataset, scale, out, jobs, progress, registry) for dataset in datasets}
    every = [run for found in runs.values() for run in found.values()]
    return Results(
        scale=_words(scale),
        versions=dict(every[0].manifest["versions"]),
        model_steps=sum(run.manifest["progress"]["model_steps"] for run in every),
        failed=sum(int((run.trials()["status"] != "ok").sum()) for run in every),
        datasets=tuple(_measured(name, found) for name, found in runs.items()),
    )


def _readings(dataset: str, scale: Scale) -> list[Reading]:
    return [each for each in READINGS[dataset] if each.brief or not scale.brief]


def _runs(
    dataset: str,
    scale: Scale,
    out: Path,
    jobs: int | None,
    progress: Callable[[str], Progress] | None,
    registry: Registry | None,
) -> dict[str, Run]:
    """The runs of a dataset by the name of their reading, trained where they are not yet."""
    from fairbench.runner import run

    return {
        reading.name: run(
            study(reading, scale),
            out=out / reading.name,
            jobs=jobs,
            device="cpu",
            progress=progress(reading.name) if progress else None,
            registry=registry,
        )
        for reading in _readings(dataset, scale)
        if not reading.of
    }


def _measured(dataset: str, runs: Mapping[str, Run]) -> DatasetResult:
    from fairbench.data import open_dataset
    from fairbench.dataset import DatasetSpec
    from fairbench.plugins import load
    from fairbench_paper.reproduction.checks import honest, noise
    from fairbench_paper.reproduction.measure import measure
    from fairbench_paper.reproduction.pictures import pictures

    readings = [each for each in READINGS[dataset] if (each.of or each.name) in runs]
    role = {each.role: each for each in readings if each.role in ("honest", "noise")}
    table = [each for each in readings if each.role in ("main", "other")]
    centre, unit = table[0], UNITS[dataset]
    ours = runs[centre.name]
    first = measure(ours, centre)
    return DatasetResult(
        dataset,
        unit,
        str(ours.manifest["datasets"][dataset]["warning"]),
        (first, *(measure(runs[each.of or each.name], each, first) for each in table[1:])),
        honest(runs[role["honest"].name], role["honest"], unit),
        noise(runs[role["noise"].name], ours, centre, unit),
        pictures(ours, open_dataset(DatasetSpec(dataset), load()), centre, unit),
    )


def _words(scale: Scale) -> str:
    """`scale` for a reader of the report."""
    every = "every α" if scale.stride == 1 else f"every {scale.stride}th α"
    return (
        f"{scale.seeds} splits for the main readings and the honest protocol, {scale.others} for "
        f"the others, {scale.copies} copies of the baseline on each of {scale.noisy} splits, "
        f"{every}"
    )
