"""Run a study: plan, execute, store, analyse, report."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from fairbench.errors import RunFolderError, StudyError
from fairbench.execute import Executor, Job, Limits, Outcome, Shared
from fairbench.provenance import describe
from fairbench.store import Rows, RunFolder
from fairbench.study import Chunk, Plan, Study, plan

if TYPE_CHECKING:
    from fairbench.analyze import Run
    from fairbench.plugins import Registry

__all__ = ["Interrupted", "Progress", "Quiet", "run"]


class Progress(Protocol):
    """Follows a run."""

    def started(self, plan: Plan, folder: Path, done: int, total: int, /) -> None:
        """Before training: how many of all trials are on disk already."""

    def finished(self, outcome: Outcome, /) -> None:
        """After a chunk was trained, or failed."""

    def stopped(self) -> None:
        """At the end of training, however it came."""


class Quiet:
    """Says nothing."""

    def started(self, plan: Plan, folder: Path, done: int, total: int, /) -> None: ...

    def finished(self, outcome: Outcome, /) -> None: ...

    def stopped(self) -> None: ...


class Interrupted(KeyboardInterrupt):
    """Ctrl-C during a run whose finished chunks are safe in `folder`."""

    def __init__(self, folder: Path, done: int, total: int, /) -> None:
        super().__init__(f"{done} of {total} trials are saved in {folder}")
        self.folder, self.done, self.total = folder, done, total


def run(
    study: Study,
    /,
    *,
    out: str | Path | None = None,
    jobs: int | None = None,
    device: str = "auto",
    executor: str | Executor | None = None,
    chunk_seconds: float | None = None,
    command: str | None = None,
    progress: Progress | None = None,
    registry: Registry | None = None,
) -> Run:
    """Train what `study` asks for, unless it is on disk already, and analyse it.

    Parameters
    ----------
    out
        Run folder; by default one under ``runs`` named after the study and a hash of all that
        decides its numbers, so that the same study continues and another never mixes in.
    jobs
        Chunks trained at once; by default the number of cores.
    device
        ``cpu``, ``cuda``, or ``auto`` for a GPU where there is one.
    executor
        Name of an executor plugin, or an instance; by default processes on this machine, or
        this process where one is enough.
    chunk_seconds
        Longest time that one chunk may take.
    command
        The command line, for the manifest.

    Raises
    ------
    FairbenchError
        For a study that cannot be run, before anything is trained.
    Interrupted
        On Ctrl-C; everything finished is saved.
    """
    import fairbench.plugins

    registry = registry or fairbench.plugins.load()
    resolved = plan(study, registry)
    description = describe(resolved, registry)
    folder = RunFolder(_place(study, out, description["id"]))
    chunks = list(resolved.chunks())
    progress = progress or Quiet()
    with folder.locked():
        _check_same(folder, description)
        done = folder.finished()
        waiting = [chunk for chunk in chunks if chunk.key not in done]
        chosen = _device(device)
        executor, limits = _executor(registry, executor, jobs, len(waiting), chunk_seconds)
        session = _Session(folder, description, chunks, done, command)
        session.costs |= {
            "jobs": limits.jobs,
            "device": chosen,
            "executor": type(executor).__name__.lower(),
        }
        session.prepare(resolved)
        registry.observers.run_started(str(folder.path))
        progress.started(resolved, folder.path, session.trials_done, session.trials)
        shared = Shared(resolved.datasets, resolved.splits, study.entropy, chosen)
        work = [_job(resolved, chunk) for chunk in waiting]
        try:
            for outcome in _outcomes(executor, shared, work, limits):
                session.keep(outcome)
                registry.observers.chunk_finished(str(folder.path), outcome.job.chunk.key)
                progress.finished(outcome)
        except KeyboardInterrupt:
            raise Interrupted(folder.path, session.trials_done, session.trials) from None
        finally:
            progress.stopped()
            session.write()
        result = _analysed(folder)
        registry.observers.run_finished(str(folder.path))
        return result


def _outcomes(
    executor: Executor, shared: Shared, work: Sequence[Job], limits: Limits
) -> Iterator[Outcome]:
    if not work:
        return
    outcomes = executor.run(shared, work, limits)
    with closing(outcomes):  # type: ignore[type-var]  # an executor's iterator is a generator
        yield from outcomes


def _analysed(folder: RunFolder) -> Run:
    from fairbench.analyze import Run

    result = Run(folder.path)
    result.write_tables()
    return result


def _place(study: Study, out: str | Path | None, identity: str) -> Path:
    if out is not None:
        return Path(out)
    return Path("runs") / f"{study.title}-{identity[:10]}"


def _check_same(folder: RunFolder, description: dict[str, Any]) -> None:
    """Refuse a folder that holds something else than this study."""
    if not (folder.path / "manifest.json").exists():
        others = [p for p in folder.path.iterdir() if p.name != ".lock"]
        if others:
            raise RunFolderError(
                f"the folder is not empty and holds no run: {others[0].name!r}",
                where=str(folder.path),
                mend="choose a new or empty folder with --out",
            )
        return
    before = folder.read_manifest()
    if before["id"] == description["id"]:
        return
    if before["study"] != description["study"]:
        differing = [k for k, v in description["study"].items() if before["study"].get(k) != v]
        what = f"holds a different study (differs in {', '.join(differing)})"
    elif before["versions"] != description["versions"]:
        what = "was begun with other versions of fairbench or its packages"
    else:
        what = "was begun with other data or other plugin code"
    raise RunFolderError(
        f"the run folder {what}",
        where=str(folder.path),
        mend="choose another --out; nothing in this folder was changed",
    )


def _device(wanted: str) -> str:
    if wanted == "cpu" or (wanted == "auto" and not Path("/dev/nvidiactl").exists()):
        return "cpu"
    import torch

    if torch.cuda.is_available():
        return "cuda"
    if wanted == "auto":
        return "cpu"
    raise StudyError(
        "torch finds no CUDA device", where="--device cuda", mend="use --device cpu or auto"
    )


def _executor(
    registry: Registry,
    wanted: str | Executor | None,
    jobs: int | None,
    chunks: int,
    seconds: float | None,
) -> tuple[Executor, Limits]:
    import os

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    limits = Limits(max(1, min(jobs or cores or 1, chunks)), seconds)
    if isinstance(wanted, Executor):
        return wanted, limits
    name = wanted or ("local" if limits.jobs > 1 or seconds is not None else "serial")
    built = registry.find("executor", name).build({})
    assert isinstance(built, Executor)
    return built, limits


def _job(resolved: Plan, chunk: Chunk) -> Job:
    arm = resolved.arms[chunk.dataset, chunk.method]
    return Job(chunk, arm.component.qualified, arm.options, arm.training)


class _Session:
    """One sitting at a run folder: stores outcomes and keeps the manifest's costs up to date."""

    def __init__(
        self,
        folder: RunFolder,
        description: dict[str, Any],
        chunks: Sequence[Chunk],
        done: frozenset[str],
        command: str | None,
    ) -> None:
        self.folder, self.description = folder, description
        self.trials = sum(len(chunk.trials) for chunk in chunks)
        finished = [chunk for chunk in chunks if chunk.key in done]
        self.trials_done = sum(len(chunk.trials) for chunk in finished)
        self.chunks, self.chunks_done, self.chunks_failed = len(chunks), len(finished), 0
        self.costs: dict[str, Any] = {}
        self.since = time.perf_counter()
        before: dict[str, Any] = {}
        if (folder.path / "manifest.json").exists():
            manifest = folder.read_manifest()
            before, command = manifest["progress"], manifest["command"] or command
        self.command = command
        self.started = before.get("started") or _now()
        self.model_steps = before.get("model_steps", 0)
        self.train_seconds = before.get("train_seconds", 0.0)
        self.wall_seconds = before.get("wall_seconds", 0.0)
        self.notes: list[str] = []

    def prepare(self, resolved: Plan) -> None:
        """Store what analysis needs of the data, and a first manifest."""
        for name, dataset in resolved.datasets.items():
            rows = Rows(dataset.targets, dataset.protected, dataset.clusters, resolved.splits[name])
            self.folder.write_rows(self.description["datasets"][name]["file"], rows)
        self.write()

    def keep(self, outcome: Outcome) -> None:
        """Store one outcome."""
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
        wall = self.wall_seconds + time.perf_counter() - self.since
        progress = {
            "started": self.started,
            "updated": _now(),
            "trials": self.trials,
            "trials_done": self.trials_done,
            "chunks": self.chunks,
            "chunks_done": self.chunks_done,
            "chunks_failed": self.chunks_failed,
            "model_steps": self.model_steps,
            "train_seconds": round(self.train_seconds, 3),
            "wall_seconds": round(wall, 3),
            **self.costs,
        }
        self.folder.write_manifest(
            {**self.description, "command": self.command, "progress": progress}
        )


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def failed_trials(result: Run, /) -> int:
    """Number of trials of a run that produced nothing: failed alone, or with their chunk."""
    trials = result.trials()
    failures = result.failures()
    return int((trials["status"] == "failed").sum()) + int(failures["trials"].sum())
