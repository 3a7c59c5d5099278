"""The run folder: manifest, rows, chunks and failures; what makes a run survive a kill."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from filelock import FileLock, Timeout

from fairbench.errors import RunFolderError
from fairbench.store.arrays import packed, stacked
from fairbench.store.chunk import Cost, StoredChunk, damaged
from fairbench.store.manifest import PLAN, document, read_manifest
from fairbench.store.pairs import Owner, read_arrays, read_document, write_document, write_pair
from fairbench.store.places import check_places, leftovers, names_in, remove, set_aside, strangers
from fairbench.store.rows import Rows, from_arrays, to_arrays
from fairbench.store.sealed import DamageError, write_json

if TYPE_CHECKING:
    from fairbench.method import Trained, Trial
    from fairbench.store.arrays import Units

__all__ = ["RunFolder", "Standing"]


@dataclass(frozen=True, slots=True)
class Standing:
    """The progress of a run, counted in its folder.

    Attributes
    ----------
    planned, stored, failed
        Numbers of chunks: of the run, on disk, and recorded as failed.
    """

    planned: int
    stored: int
    failed: int

    @property
    def missing(self) -> int:
        """Chunks of which there is nothing."""
        return self.planned - self.stored - self.failed

    def __str__(self) -> str:
        failed = f", {self.failed} failed" if self.failed else ""
        missing = f", {self.missing} missing" if self.missing else ""
        return f"{self.stored} of {self.planned} chunks{failed}{missing}"


@dataclass(frozen=True)
class RunFolder:
    """Reads and writes one run folder; `path` holds a manifest.

    Nothing is believed that is not proved: every file carries, or is described by, a hash of its
    content, and says which chunk of which run it is. Names that the manifest does not list are
    neither read nor touched.
    """

    path: Path

    # reading

    @cached_property
    def manifest(self) -> Mapping[str, Any]:
        """The manifest as it was when first read through this object."""
        return self.read_manifest()

    def read_manifest(self) -> Mapping[str, Any]:
        """The manifest as it is on disk now."""
        return read_manifest(self.path)

    def rows(self, dataset: str, /) -> Rows:
        """Targets, protected attributes, clusters and splits of a dataset of this run."""
        facts = self.manifest["datasets"][dataset]
        stem = self.path / "rows" / str(facts["file"])
        file = stem.with_name(f"{stem.name}.json")
        try:
            about = self.about_rows(stem.name)
            if about is None:
                raise DamageError("it is missing")
            file = stem.with_name(f"{stem.name}.npz")
            return from_arrays(read_arrays(file, about["arrays"]), facts)
        except DamageError as error:
            raise damaged(file, error) from error

    def about_rows(self, stem: str, /) -> Mapping[str, Any] | None:
        """Return what that file says of the rows, or None; raises `DamageError` as well."""
        return read_document(self.path / "rows" / f"{stem}.json", self._owner(stem))

    def chunks(self) -> Iterator[StoredChunk]:
        """Every finished chunk, in the order of their keys.

        Raises
        ------
        RunFolderError
            Where one is not what was written, or cannot be read.
        """
        for key in self.keys("chunks"):
            try:
                chunk = self.chunk(key)
            except DamageError as error:
                raise damaged(self.path / "chunks" / f"{key}.json", error) from error
            if chunk is not None:
                yield chunk

    def chunk(self, key: str, /) -> StoredChunk | None:
        """The finished chunk of this key, or None; raises `DamageError` as well."""
        file = self.path / "chunks" / f"{key}.json"
        meta = read_document(file, self._owner(key))
        return None if meta is None else StoredChunk(file.with_suffix(".npz"), meta)

    def failures(self) -> Iterator[Mapping[str, Any]]:
        """Chunks that produced nothing: key, trials, reason and traceback.

        The record of an old failure that a kill has left beside the finished chunk counts no more.
        """
        stored = names_in(self.path / "chunks", ".json")
        for key in self.keys("failures"):
            try:
                failure = None if key in stored else self.failure(key)
            except DamageError as error:
                raise damaged(self.path / "failures" / f"{key}.json", error) from error
            if failure is not None:
                yield failure

    def failure(self, key: str, /) -> Mapping[str, Any] | None:
        """The record of a failure of this key, or None; raises `DamageError` as well."""
        return read_document(self.path / "failures" / f"{key}.json", self._owner(key))

    def finished(self) -> dict[str, Cost]:
        """Return the cost of each chunk that is wholly on disk, by its key.

        Raises
        ------
        RunFolderError
            Where a file is there and cannot be read, which says nothing of what it holds.
        """
        found: dict[str, Cost] = {}
        for key in self.keys("chunks"):
            with suppress(DamageError):
                if chunk := self.chunk(key):
                    chunk.check()
                    found[key] = chunk.cost
        return found

    def standing(self) -> Standing:
        """Count how far the run has come."""
        stored = names_in(self.path / "chunks", ".json")
        failed = names_in(self.path / "failures", ".json") - stored
        planned = self._planned or {*stored, *failed}
        return Standing(len(planned), len(stored & {*planned}), len(failed & {*planned}))

    def keys(self, kind: str = "chunks", /) -> list[str]:
        """Keys of the run's chunks, sorted; those found in `kind` where the manifest lists none."""
        if not self._begun:
            return []
        return sorted(self._planned or names_in(self.path / kind, ".json"))

    def strangers(self) -> list[str]:
        """Files in the run's folders that no name of this run explains: they are ignored."""
        known = {*self.keys(), *self.row_files()} if self._planned else None
        return sorted(strangers(self.path, known)) if known is not None else []

    def row_files(self) -> list[str]:
        """Stems of the files of the datasets' rows."""
        facts = self.manifest.get("datasets", {}).values()
        return [str(one["file"]) for one in facts if "file" in one]

    @property
    def _begun(self) -> bool:
        """Say whether there is a manifest."""
        return "manifest" in self.__dict__ or os.path.lexists(self.path / "manifest.json")

    @property
    def _planned(self) -> Mapping[str, int]:
        """Numbers of trials by key of all chunks; empty in a manifest that does not list them."""
        planned: Mapping[str, int] = self.manifest.get("chunks", {})
        return planned

    def _owner(self, key: str) -> Owner:
        return Owner(str(self.manifest.get("id", "")), key)

    # writing

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the folder for writing; a second writer is refused rather than mixed in."""
        lock = FileLock(self.path / ".lock")
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            check_places(self.path)
            lock.acquire(timeout=0)
        except Timeout:
            raise RunFolderError(
                "another fairbench is writing this run folder",
                where=str(self.path),
                hint="wait for it, or choose another --out",
            ) from None
        except OSError as error:
            raise RunFolderError(
                f"the run folder cannot be written: {error.strerror}",
                where=str(self.path),
                hint="choose a folder you may write with --out",
            ) from error
        try:
            yield
        finally:
            lock.release()

    def clean(self, finished: Collection[str], /) -> None:
        """Make room for the chunks that are not `finished`.

        What is not whole under their names is moved aside, and what a kill left half written
        under a name of this run is removed. Nothing else is touched.
        """
        planned = self._planned if self._begun else {}
        for file in leftovers(self.path, {*planned, *(self.row_files() if planned else ())}):
            remove(file)
        for key in planned:
            chunk = self.path / "chunks" / f"{key}.json"
            if key in finished:
                remove(self.path / "failures" / chunk.name)
            else:
                # Arrays alone are a kill's, before the chunk counted, and will be written over.
                if chunk.exists():
                    set_aside(self.path, chunk.with_suffix(".npz"))
                set_aside(self.path, chunk)

    def write_manifest(self, manifest: Mapping[str, Any], /) -> None:
        """Replace the manifest; the first one of a run is kept beside it, in case it is lost."""
        self.__dict__.pop("manifest", None)
        sealed = document(manifest)
        # In this order: a folder with the copy alone has lost its manifest, and has to be repaired.
        write_json(self.path / "manifest.json", sealed)
        if not (self.path / PLAN).exists():
            write_json(self.path / PLAN, sealed)

    def write_rows(self, file: str, rows: Rows, /) -> None:
        """Store what analysis needs of a dataset under the file stem `file`."""
        write_pair(self.path / "rows" / file, self._owner(file), to_arrays(rows), {})

    def write_chunk(
        self,
        key: str,
        trials: Sequence[Trial],
        trained: Trained,
        seconds: float,
        units: Units | None = None,
        /,
    ) -> None:
        """Store a finished chunk: its arrays first, then the JSON that makes it count.

        `units` are mean and scale of the targets that networks learned in, where they are known:
        predictions take less room with them, and are the same to the last bit.
        """
        parts = {
            "validation": np.stack([p.validation for p in trained.predictions]),
            "test": np.stack([p.test for p in trained.predictions]),
        }
        arrays = packed({name: part.astype(np.float64) for name, part in parts.items()}, units)
        for name in sorted({name for p in trained.predictions for name in p.record}):
            arrays[f"record.{name}"] = stacked([p.record.get(name) for p in trained.predictions])
        meta = {
            "trials": [asdict(trial) for trial in trials],
            "status": [p.status for p in trained.predictions],
            "note": [p.note for p in trained.predictions],
            "transient": [p.transient for p in trained.predictions],
            "notes": list(trained.notes),
            "model_steps": trained.model_steps,
            "seconds": round(seconds, 3),
        }
        write_pair(self.path / "chunks" / key, self._owner(key), arrays, meta)
        remove(self.path / "failures" / f"{key}.json")

    def write_failure(self, key: str, trials: Sequence[Trial], reason: str, detail: str, /) -> None:
        """Record a chunk that produced nothing; running again tries it again."""
        content = {
            "trials": [asdict(trial) for trial in trials],
            "reason": reason,
            "traceback": detail,
        }
        write_document(self.path / "failures" / f"{key}.json", self._owner(key), content)
