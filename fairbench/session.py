"""One sitting at a run folder: stores outcomes, and keeps account of what the run has taken."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from fairbench.errors import RunFolderError
from fairbench.execute import Outcome
from fairbench.method import Fold, Part
from fairbench.metric import Neighbours
from fairbench.store import Cost, Rows, RunFolder, writing
from fairbench.study import primary_views

if TYPE_CHECKING:
    from fairbench.study import Chunk, Plan

__all__ = ["Session"]

HELD_OUT: tuple[Part, ...] = ("validation", "test")

_ANEW = "the primary analysis was declared anew"

WRITE_EVERY = 5.0
"""Seconds between two writings of the manifest while chunks come in."""


class Session:
    """Stores outcomes in `folder` and the state of the run in its manifest.

    Steps and seconds of training are the sums over the chunks on disk, whoever trained them and
    however that ended; the seconds on the clock are those of all sittings so far.

    Parameters
    ----------
    description
        The manifest but for progress and command.
    chunks
        All chunks of the run.
    done
        What those took that are on disk already, by key.
    """

    def __init__(
        self,
        folder: RunFolder,
        description: Mapping[str, Any],
        chunks: Sequence[Chunk],
        done: Mapping[str, Cost],
        command: str | None,
    ) -> None:
        from fairbench.analyze import EDITION

        self.folder, self.description = folder, {**description, "rules": EDITION}
        self._all = {chunk.key: len(chunk.trials) for chunk in chunks}
        self.trials, self.chunks, self.chunks_failed = sum(self._all.values()), len(chunks), 0
        self._count(done)
        self.costs: dict[str, Any] = {}
        self._audits: list[dict[str, Any]] | None = None
        before: Mapping[str, Any] = {}
        if (folder.path / "manifest.json").exists():
            manifest = folder.read_manifest()
            before, command = manifest["progress"], manifest["command"] or command
            self._audits = manifest.get("audits")
            self.description["notes"] = [*description["notes"], *self._declared_anew(manifest)]
        self.command = command
        self._started = before.get("started") or _now()
        self._wall_before = before.get("wall_seconds", 0.0)
        self._since = time.monotonic()
        self._due = self._since + WRITE_EVERY
        with writing(folder.path):
            folder.clean(done.keys())

    def _declared_anew(self, before: Mapping[str, Any]) -> list[str]:
        """Notes on a primary analysis that was exchanged after training had begun."""
        notes = [note for note in before["notes"] if note.startswith(_ANEW)]
        if before.get("primary") not in (None, self.description["primary"]):
            was = json.dumps(before["primary"], ensure_ascii=False)
            progress = f"{before['progress']['trials_done']} of {self.trials} trials"
            notes.append(f"{_ANEW} after {progress} had been trained; it was {was}")
        return notes

    def _count(self, done: Mapping[str, Cost]) -> None:
        finished = {key: cost for key, cost in done.items() if key in self._all}
        self.trials_done = sum(self._all[key] for key in finished)
        self.chunks_done = len(finished)
        self.model_steps = sum(cost.model_steps for cost in finished.values())
        self.train_seconds = sum(cost.seconds for cost in finished.values())

    def prepare(self, resolved: Plan) -> None:
        """Store a first manifest, and what analysis needs of the data."""
        self.write()  # first of all: it is what marks the folder as this run's
        with writing(self.folder.path):
            for name, data in resolved.datasets.items():
                splits = resolved.splits[name]
                near = {
                    (number, part): nearest(Fold(data, split), part)
                    for number, split in enumerate(splits)
                    for part in HELD_OUT
                    if split[part].size
                }
                rows = Rows(data.targets, data.protected, data.clusters, splits, near)
                self.folder.write_rows(self.description["datasets"][name]["file"], rows)

    def foresee(self, resolved: Plan) -> list[str]:
        """What this study could not find, told before it is trained; goes into the manifest."""
        from fairbench.analyze import hopeless

        study, arms = resolved.study, len(resolved.arms)
        comparisons = arms - len(resolved.datasets)
        if not self.description["baseline"] or not comparisons:
            return []
        if resolved.protocol.selection == "test":  # described only: nothing is looked for
            return []
        found = hopeless(
            resolved.datasets,
            resolved.splits,
            primary_views(study.primary, resolved.datasets),
            next(c for c in resolved.metrics if study.disparity in (c.name, c.qualified)),
            len({seed for _, seed in study.repeats}) if study.splits else 1,
            comparisons,
        )
        known = self.description["notes"]
        self.description["notes"] = [*known, *(note for note in found if note not in known)]
        self.write()
        return found

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
        chunk = outcome.job.chunk
        if outcome.trained is None:
            self.chunks_failed += 1
            self.folder.write_failure(chunk.key, chunk.trials, outcome.reason, outcome.traceback)
            return
        self.folder.write_chunk(chunk.key, chunk.trials, outcome.trained, outcome.seconds)
        self.trials_done += len(chunk.trials)
        self.chunks_done += 1
        self.model_steps += outcome.trained.model_steps
        self.train_seconds += outcome.seconds

    def write(self) -> None:
        """Bring the manifest up to date."""
        wall = self._wall_before + time.monotonic() - self._since
        progress = {
            "started": self._started,
            "updated": _now(),
            "trials": self.trials,
            "trials_done": self.trials_done,
            "chunks": self.chunks,
            "chunks_done": self.chunks_done,
            "chunks_failed": self.chunks_failed,
            "model_steps": self.model_steps,
            "train_seconds": round(self.train_seconds, 3),
            "wall_seconds": round(wall, 3),
            "trials_per_second": _rate(self.trials_done, wall),
            "model_steps_per_second": _rate(self.model_steps, wall),
            **self.costs,
        }
        with writing(self.folder.path):
            audits = {} if self._audits is None else {"audits": self._audits}
            self.folder.write_manifest(
                {**self.description, **audits, "command": self.command, "progress": progress}
            )
        self._due = time.monotonic() + WRITE_EVERY

    def cut_short(self) -> None:
        """Leave a true manifest behind, if anything can still be written.

        What ended the sitting may have come between a chunk and its being counted.
        """
        with suppress(RunFolderError):
            self._count(self.folder.finished())
            self.write()


def nearest(fold: Fold, part: Part, /, count: int = 5) -> Neighbours:
    """The `count` nearest rows of every row of `part` in scaled features, itself included."""
    from sklearn.neighbors import NearestNeighbors

    features = fold.features(part)
    search = NearestNeighbors(n_neighbors=min(count, len(features))).fit(features)
    return Neighbours(search.kneighbors(features, return_distance=False).astype(np.int64))


def _rate(count: int, seconds: float) -> float:
    return round(count / seconds, 3) if seconds > 0 else 0.0


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
