"""One sitting at a run folder: stores outcomes, and keeps account of what the run has taken."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from fairbench.errors import RunFolderError
from fairbench.execute import Outcome
from fairbench.fold import Fold, Part
from fairbench.neighbours import Neighbours, nearest
from fairbench.plugins import is_individual
from fairbench.provenance import machine
from fairbench.sittings import Sittings, gathered, how_it_ended, now
from fairbench.store import Cost, Rows, RunFolder, writing
from fairbench.study import primary_views

if TYPE_CHECKING:
    from fairbench.analyze import Luck
    from fairbench.dataset import Dataset, FloatArray
    from fairbench.fold import Split
    from fairbench.study import Chunk, Plan

__all__ = ["Session"]

HELD_OUT: tuple[Part, ...] = ("validation", "test")


WRITE_EVERY = 5.0
"""Seconds between two writings of the manifest while chunks come in."""


class Session:
    """Stores outcomes in `folder` and the state of the run in its manifest.

    Steps and seconds of training are the sums over the chunks on disk, whoever trained them and
    however that ended; the seconds on the clock are those of all sittings so far. A sitting that
    finds nothing to train leaves no trace of itself.

    Parameters
    ----------
    description
        The manifest but for progress, notes and sittings.
    chunks
        All chunks of the run.
    done
        What those took that are on disk already, by key.
    waiting
        Those that this sitting is to train.
    """

    def __init__(
        self,
        folder: RunFolder,
        description: Mapping[str, Any],
        chunks: Sequence[Chunk],
        done: Mapping[str, Cost],
        waiting: Sequence[Chunk],
    ) -> None:
        from fairbench.analyze import EDITION

        self.folder, self.description = folder, {**description, "rules": EDITION}
        self._all = {chunk.key: chunk for chunk in chunks}
        self.due = sum(len(chunk.trials) for chunk in waiting)
        self._done = {key: cost for key, cost in done.items() if key in self._all}
        self._failed: set[str] = set()
        self._units: dict[tuple[str, int], tuple[FloatArray, FloatArray]] = {}
        self._before: Mapping[str, Any] = {}
        self._remarks: list[str] = []
        self._luck: Luck | None = None
        if (folder.path / "manifest.json").exists():
            self._before = folder.read_manifest()
            self._failed = {failure["key"] for failure in folder.failures()} & {*self._all}
            self.description["machine"] = self._before["machine"]
            self._remarks += self._before.get("remarks", [])
            self._remarks += self._declared_anew(self._before)
        self._audits: list[dict[str, Any]] | None = self._before.get("audits")
        self._sittings = Sittings(self._before.get("sittings", ()), self.trials_done)
        self._since = time.monotonic()
        self._due = self._since + WRITE_EVERY
        with writing(folder.path):
            folder.clean(done.keys())

    @property
    def trials(self) -> int:
        """All trials of the run."""
        return sum(len(chunk.trials) for chunk in self._all.values())

    @property
    def trials_done(self) -> int:
        """Trials of chunks that are on disk."""
        return sum(len(self._all[key].trials) for key in self._done)

    def sit(self, command: str | None, **facts: Any) -> None:
        """Begin a sitting, of which `facts` say how it trains."""
        self._sittings.begin(command, machine(), facts)

    def prepare(self, resolved: Plan) -> None:
        """Store a first manifest, and what analysis needs of the data."""
        self.write()  # first of all: it is what marks the folder as this run's
        individual = any(is_individual(metric.description) for metric in resolved.metrics)
        with writing(self.folder.path):
            for name, data in resolved.datasets.items():
                splits = resolved.splits[name]
                if not self._has_rows(name, individual):
                    near = _near(data, splits) if individual else {}
                    rows = Rows(data.targets, data.protected, data.clusters, splits, near)
                    self.folder.write_rows(self.description["datasets"][name]["file"], rows)
                for number, split in enumerate(splits):
                    self._units[name, number] = Fold(data, split).target_scale()

    def _has_rows(self, dataset: str, individual: bool) -> bool:
        """Whether the rows are on disk and whole, with neighbours where these are wanted.

        They are those of this run, whose identity decides them.
        """
        try:
            return bool(self.folder.rows(dataset).neighbours) >= individual
        except RunFolderError:
            return False

    def foresee(self, resolved: Plan) -> list[str]:
        """What this study could not find, told before it is trained; goes into the manifest."""
        from fairbench.analyze import Luck, hopeless

        study, arms = resolved.study, len(resolved.arms)
        comparisons = arms - len(resolved.datasets)
        if not self.description["baseline"] or not comparisons:
            return []
        if resolved.protocol.selection == "test":  # described only: nothing is looked for
            return []
        views = primary_views(study.primary, resolved.datasets)
        metric = next(c for c in resolved.metrics if study.disparity in (c.name, c.qualified))
        seeds = len({seed for _, seed in study.repeats}) if study.splits else 1
        told = hopeless(resolved.datasets, resolved.splits, views, metric, seeds, comparisons)
        self._luck = Luck(
            self.description["baseline"],
            resolved.datasets,
            resolved.splits,
            {name: view for name, view in views.items() if name not in told},
            metric,
            seeds,
            comparisons,
        )
        return self._remarked([*told.values()])

    def learned(self, outcome: Outcome) -> list[str]:
        """What the baseline's trainings say of what this study could find, when all are in."""
        if self._luck is None or outcome.trained is None:
            return []
        return self._remarked(self._luck.learned(outcome.job.chunk.trials, outcome.trained))

    def _remarked(self, found: list[str]) -> list[str]:
        self._remarks += [remark for remark in found if remark not in self._remarks]
        if found:
            self.write()
        return found

    def _declared_anew(self, before: Mapping[str, Any]) -> list[str]:
        """What to say of a primary analysis that was exchanged after training had begun."""
        if before.get("primary") in (None, self.description["primary"]):
            return []
        was = json.dumps(before["primary"], ensure_ascii=False)
        trained = f"{before['progress']['trials_done']} of {self.trials} trials"
        told = f"the primary analysis was declared anew after {trained} had been trained"
        return [f"{told}; it was {was}"]

    def audit(self, resolved: Plan) -> None:
        """Look for what only the features can tell, once per run; goes into the manifest."""
        from fairbench.analyze import audit_dataset

        if self._audits is None:
            self._audits = [
                {**asdict(finding), "dataset": label}
                for label, data in resolved.datasets.items()
                for finding in audit_dataset(data, resolved.splits[label])
            ]

    def keep(self, outcome: Outcome) -> None:
        """Store one outcome.

        Raises
        ------
        RunFolderError
            Where the disk is full, or the folder can no longer be written.
        """
        with writing(self.folder.path):
            self._store(outcome)
        if time.monotonic() >= self._due:
            self.write()

    def _store(self, outcome: Outcome) -> None:
        chunk, trained = outcome.job.chunk, outcome.trained
        if trained is None:
            self._sittings.count(chunk, failed=len(chunk.trials))
            if chunk.key in self._done:  # tried again in vain: what it had stays
                return
            self.folder.write_failure(chunk.key, chunk.trials, outcome.reason, outcome.traceback)
            self._failed.add(chunk.key)
            return
        units = self._units.get((chunk.dataset, chunk.split))
        self.folder.write_chunk(chunk.key, chunk.trials, trained, outcome.seconds, units)
        self._done[chunk.key] = cost = Cost.of(trained, outcome.seconds)
        self._failed.discard(chunk.key)
        self._sittings.count(chunk, failed=cost.failed)

    def write(self) -> None:
        """Bring the manifest up to date, where it is not."""
        manifest = {
            **self.description,
            **({} if self._audits is None else {"audits": self._audits}),
            "remarks": self._remarks,
            "notes": [
                *self.description.get("noted", ()),
                *self._remarks,
                *gathered((self._all[key].method, c.notes) for key, c in self._done.items()),
            ],
            "command": self._before.get("command") or self._sittings.command,
            "progress": self._progress(),
            "sittings": self._sittings.document(),
            "chunks": {key: len(chunk.trials) for key, chunk in self._all.items()},
        }
        if self._sittings.current or not self._is_as_before(manifest):
            manifest["progress"]["updated"] = now()
            with writing(self.folder.path):
                self.folder.write_manifest(manifest)
        self._due = time.monotonic() + WRITE_EVERY

    def _is_as_before(self, manifest: Mapping[str, Any]) -> bool:
        plain = json.loads(json.dumps(manifest))
        return all(self._before.get(name) == value for name, value in plain.items())

    def _progress(self) -> dict[str, Any]:
        before: Mapping[str, Any] = self._before.get("progress", {})
        costs = self._done.values()
        lost = sum(len(self._all[key].trials) for key in self._failed)
        wall, steps = before.get("wall_seconds", 0.0), sum(cost.model_steps for cost in costs)
        if self._sittings.current:
            wall = round(wall + time.monotonic() - self._since, 3)
        return {
            "started": before.get("started") or now(),
            "updated": before.get("updated", ""),
            "trials": self.trials,
            "trials_done": self.trials_done,
            "trials_failed": lost + sum(cost.failed for cost in costs),
            "chunks": len(self._all),
            "chunks_done": len(self._done),
            "chunks_failed": len(self._failed),
            "model_steps": steps,
            "train_seconds": round(sum(cost.seconds for cost in costs), 3),
            "wall_seconds": wall,
            "trials_per_second": _rate(self.trials_done, wall),
            "model_steps_per_second": _rate(steps, wall),
            **self._sittings.facts,
        }

    def end(self) -> None:
        """Close the sitting after its last chunk."""
        self._sittings.end("finished")
        self.write()

    def cut_short(self, error: BaseException) -> None:
        """Leave a true manifest behind, if anything can still be written.

        What ended the sitting may have come between a chunk and its being counted.
        """
        with suppress(RunFolderError):
            for key, cost in self.folder.finished().items():
                if key in self._all and key not in self._done:
                    self._done[key] = cost
                    self._failed.discard(key)
                    self._sittings.count(self._all[key], failed=cost.failed)
            self._sittings.end(how_it_ended(error))
            self.write()


def _near(data: Dataset, splits: Sequence[Split]) -> dict[tuple[int, Part], Neighbours]:
    """The neighbours of all held-out rows among each other, by split and part."""
    return {
        (number, part): nearest(Fold(data, split).features(part))
        for number, split in enumerate(splits)
        for part in HELD_OUT
        if split[part].size
    }


def _rate(count: int, seconds: float) -> float:
    return round(count / seconds, 3) if seconds > 0 else 0.0
