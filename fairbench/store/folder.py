"""The run folder: manifest, rows, chunks and failures; what makes a run survive a kill."""

from __future__ import annotations

import io
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zipfile import BadZipFile

import numpy as np
from filelock import FileLock, Timeout

from fairbench.dataset import Protected
from fairbench.errors import RunFolderError
from fairbench.method import Trial
from fairbench.metric import Neighbours
from fairbench.protocol import Split
from fairbench.store.atomic import PART, read_json, write_bytes, write_json

if TYPE_CHECKING:
    from fairbench.dataset import FloatArray, IntArray
    from fairbench.method import Part, Trained

__all__ = ["FORMAT", "Cost", "Rows", "RunFolder", "StoredChunk"]

FORMAT = 1
"""Version of the folder's layout, in its manifest."""

_PARTS: tuple[Part, ...] = ("train", "validation", "test")


@dataclass(frozen=True)
class Rows:
    """What analysis needs to know of a dataset's rows: everything but the features.

    `neighbours` holds, by split and part, what `fairbench.metric.Neighbours` holds of its rows.
    """

    targets: FloatArray
    protected: tuple[Protected, ...]
    clusters: IntArray | None
    splits: tuple[Split, ...]
    neighbours: Mapping[tuple[int, Part], Neighbours] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Cost:
    """What a chunk took: optimiser steps summed over its trials, and seconds of training."""

    model_steps: int
    seconds: float


@dataclass(frozen=True)
class StoredChunk:
    """A finished chunk on disk.

    Attributes
    ----------
    meta
        The content of its JSON file: status and note per trial, notes, model_steps, seconds.
    """

    path: Path
    meta: Mapping[str, Any]

    @property
    def key(self) -> str:
        """Its name within the run."""
        return self.path.stem

    @cached_property
    def trials(self) -> tuple[Trial, ...]:
        """Its trials, in the order of its predictions."""
        return tuple(Trial(**trial) for trial in self.meta["trials"])

    @cached_property
    def _arrays(self) -> Mapping[str, np.ndarray]:
        try:
            with self.path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
                return dict(arrays)
        except (OSError, ValueError, BadZipFile) as error:
            raise _damaged(self.path, error) from error

    def prediction(self, part: Part, /) -> FloatArray:
        """Predictions (trials, rows, targets) on the validation or test rows."""
        return self._arrays[part].astype(np.float64)

    def record(self, name: str, /) -> np.ndarray | None:
        """What training recorded under `name` (trials, ...), if it did."""
        return self._arrays.get(f"record.{name}")

    @property
    def record_names(self) -> tuple[str, ...]:
        """Names under which training recorded something."""
        return tuple(n.removeprefix("record.") for n in self._arrays if n.startswith("record."))


@dataclass(frozen=True)
class RunFolder:
    """Reads and writes one run folder; `path` holds a manifest."""

    path: Path

    # reading

    @cached_property
    def manifest(self) -> Mapping[str, Any]:
        """The manifest as it was when first read through this object."""
        return self.read_manifest()

    def read_manifest(self) -> Mapping[str, Any]:
        """The manifest as it is on disk now."""
        file = self.path / "manifest.json"
        try:
            manifest = read_json(file)
            version = manifest["format"]
        except FileNotFoundError:
            raise RunFolderError(
                f"{self.path} is no run folder",
                where=f"{file} does not exist",
                mend="name a folder that `fairbench run` wrote",
            ) from None
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise RunFolderError(
                f"the manifest cannot be read: {error}",
                where=str(file),
                mend="restore that file from a copy, or choose another --out",
            ) from error
        if version != FORMAT:
            raise RunFolderError(
                f"this run folder has layout {version!r}; this fairbench reads layout {FORMAT}",
                where=str(file),
                mend="read it with the version named in its manifest",
            )
        return dict(manifest)

    def rows(self, dataset: str, /) -> Rows:
        """Targets, protected attributes, clusters and splits of a dataset of this run."""
        facts = self.manifest["datasets"][dataset]
        with np.load(self.path / "rows" / f"{facts['file']}.npz", allow_pickle=False) as arrays:
            protected = tuple(
                Protected(
                    attribute["name"],
                    attribute["kind"],
                    arrays[f"values.{number}"],
                    arrays[f"groups.{number}"],
                    tuple(attribute["labels"]),
                    tuple(attribute["small"]),
                )
                for number, attribute in enumerate(facts["protected"])
            )
            clusters = arrays.get("clusters")
            splits = tuple(_split(codes) for codes in arrays["splits"])
            neighbours = {
                (number, part): Neighbours(arrays[key])
                for number in range(len(splits))
                for part in _PARTS
                if (key := f"neighbours.{number}.{part}") in arrays
            }
            return Rows(arrays["targets"], protected, clusters, splits, neighbours)

    def chunks(self) -> Iterator[StoredChunk]:
        """Every finished chunk, in the order of their keys."""
        for meta in sorted((self.path / "chunks").glob("*.json")):
            try:
                yield StoredChunk(meta.with_suffix(".npz"), read_json(meta))
            except (OSError, ValueError) as error:
                raise _damaged(meta, error) from error

    def failures(self) -> Iterator[Mapping[str, Any]]:
        """Chunks that produced nothing: key, trials, reason and traceback."""
        for file in sorted((self.path / "failures").glob("*.json")):
            yield read_json(file)

    def finished(self) -> dict[str, Cost]:
        """What each chunk took that is wholly on disk, by its key: arrays and JSON that agree."""
        metas = sorted((self.path / "chunks").glob("*.json"))
        return {meta.stem: cost for meta in metas if (cost := _cost(meta)) is not None}

    # writing

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the folder for writing; a second writer is refused rather than mixed in."""
        lock = FileLock(self.path / ".lock")
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            lock.acquire(timeout=0)
        except Timeout:
            raise RunFolderError(
                "another fairbench is writing this run folder",
                where=str(self.path),
                mend="wait for it, or choose another --out",
            ) from None
        except OSError as error:
            raise RunFolderError(
                f"the run folder cannot be written: {error.strerror}",
                where=str(self.path),
                mend="choose a folder you may write with --out",
            ) from error
        try:
            yield
        finally:
            lock.release()

    def clean(self, finished: Collection[str], /) -> None:
        """Take out what a kill or a faulty disk left of chunks that are not `finished`."""
        leftover = [*self.path.glob(f".*{PART}"), *self.path.glob(f"*/.*{PART}")]
        chunks = (self.path / "chunks").glob("[!.]*")
        for file in (*leftover, *(file for file in chunks if file.stem not in finished)):
            file.unlink(missing_ok=True)

    def write_manifest(self, manifest: Mapping[str, Any], /) -> None:
        """Replace the manifest."""
        self.__dict__.pop("manifest", None)
        write_json(self.path / "manifest.json", {"format": FORMAT, **manifest})

    def write_rows(self, file: str, rows: Rows, /) -> None:
        """Store what analysis needs of a dataset under the file stem `file`."""
        arrays: dict[str, np.ndarray] = {"targets": rows.targets}
        for number, attribute in enumerate(rows.protected):
            arrays[f"values.{number}"] = attribute.values
            arrays[f"groups.{number}"] = attribute.groups
        if rows.clusters is not None:
            arrays["clusters"] = rows.clusters
        arrays["splits"] = np.stack([_codes(split, len(rows.targets)) for split in rows.splits])
        for (split, part), neighbours in rows.neighbours.items():
            arrays[f"neighbours.{split}.{part}"] = neighbours.index
        write_bytes(self.path / "rows" / f"{file}.npz", npz(arrays))

    def write_chunk(
        self, key: str, trials: Sequence[Trial], trained: Trained, seconds: float, /
    ) -> None:
        """Store a finished chunk: its arrays first, then the JSON that makes it count."""
        arrays = {
            "validation": np.stack([p.validation for p in trained.predictions]),
            "test": np.stack([p.test for p in trained.predictions]),
        }
        arrays = {name: array.astype(np.float32) for name, array in arrays.items()}
        for name in sorted({name for p in trained.predictions for name in p.record}):
            arrays[f"record.{name}"] = _stacked([p.record.get(name) for p in trained.predictions])
        content = npz(arrays)
        write_bytes(self.path / "chunks" / f"{key}.npz", content)
        meta = {
            "sha256": sha256(content).hexdigest(),
            "trials": [asdict(trial) for trial in trials],
            "status": [p.status for p in trained.predictions],
            "note": [p.note for p in trained.predictions],
            "notes": list(trained.notes),
            "model_steps": trained.model_steps,
            "seconds": round(seconds, 3),
        }
        write_json(self.path / "chunks" / f"{key}.json", meta)
        (self.path / "failures" / f"{key}.json").unlink(missing_ok=True)

    def write_failure(self, key: str, trials: Sequence[Trial], reason: str, detail: str, /) -> None:
        """Record a chunk that produced nothing; running again tries it again."""
        content = {
            "key": key,
            "trials": [asdict(trial) for trial in trials],
            "reason": reason,
            "traceback": detail,
        }
        write_json(self.path / "failures" / f"{key}.json", content)


def _cost(meta: Path) -> Cost | None:
    """What a chunk took; None where its files are not what was written."""
    try:
        content, told = meta.with_suffix(".npz").read_bytes(), read_json(meta)
        whole = told["sha256"] == sha256(content).hexdigest()
        return Cost(int(told["model_steps"]), float(told["seconds"])) if whole else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _damaged(file: Path, error: Exception) -> RunFolderError:
    return RunFolderError(
        f"a stored chunk cannot be read: {error}",
        where=str(file),
        mend="run the study again: chunks that are not whole are trained anew",
    )


def npz(arrays: Mapping[str, np.ndarray], /) -> bytes:
    """`arrays` as an npz archive; equal arrays give equal bytes."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **arrays)
    return buffer.getvalue()


def _stacked(records: Sequence[np.ndarray | None]) -> np.ndarray:
    """Records of all trials; NaN for those that recorded nothing."""
    shape = next(np.shape(record) for record in records if record is not None)
    return np.stack([np.full(shape, np.nan) if r is None else np.asarray(r) for r in records])


def _codes(split: Split, rows: int) -> np.ndarray:
    codes = np.full(rows, -1, dtype=np.int8)
    for code, part in enumerate(_PARTS):
        codes[split[part]] = code
    return codes


def _split(codes: np.ndarray) -> Split:
    return Split(*(np.flatnonzero(codes == code) for code in range(len(_PARTS))))
