"""Run a study: plan, execute, store, analyse, report."""

from __future__ import annotations

import re
from collections.abc import Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from fairbench import kernel
from fairbench.errors import RunFolderError, StudyError
from fairbench.execute import (
    Executor,
    Job,
    Limits,
    Outcome,
    Shared,
    check_interrupt,
    cores,
    heeded,
    held,
)
from fairbench.provenance import describe
from fairbench.session import Session
from fairbench.store import RunFolder, writing
from fairbench.study import Arm, Chunk, Plan, Study, plan

if TYPE_CHECKING:
    from fairbench.analyze import Run
    from fairbench.plugins import Registry

__all__ = ["Interrupted", "Progress", "Quiet", "run"]


class Progress(Protocol):
    """Follows a run."""

    def started(self, plan: Plan, folder: Path, done: int, total: int, /) -> None:
        """Before training: how many of all trials are on disk already."""

    def noted(self, note: str, /) -> None:
        """Before training: what the user should know of this study."""

    def finished(self, outcome: Outcome, /) -> None:
        """After a chunk was trained, or failed."""

    def stopped(self) -> None:
        """At the end of training, however it came."""


class Quiet:
    """Says nothing."""

    def started(self, plan: Plan, folder: Path, done: int, total: int, /) -> None: ...

    def noted(self, note: str, /) -> None: ...

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
    limits = _limits(jobs, chunk_seconds)
    if isinstance(executor, str):
        executor = _built(registry, executor)
    resolved = plan(study, registry)
    chosen = _device(device)
    kernels: dict[str, kernel.Kernel] = {
        wanted: kernel.chosen(wanted, chosen)
        for wanted in {a.training.kernel for a in resolved.arms.values() if _networks(a)}
    }
    trainers = {
        name: kernel.describe() if name == "compiled" else name for name in kernels.values()
    }
    description = describe(resolved, registry, [*trainers.values()])
    folder = RunFolder(_place(study, out, description["id"]))
    chunks = list(resolved.chunks())
    with folder.locked(), heeded():
        _check_same(folder, description)
        done = folder.finished()
        waiting = [chunk for chunk in chunks if chunk.key not in done]
        executor = executor or _default(registry, limits, len(waiting), chosen)
        session = Session(folder, description, chunks, done, command)
        session.costs |= {
            "jobs": executor.width(limits, len(waiting)),
            "device": chosen,
            "executor": type(executor).__name__.lower(),
        }
        session.prepare(resolved)
        progress = progress or Quiet()
        if waiting:
            for note in session.foresee(resolved):
                progress.noted(note)
        registry.observers.run_started(str(folder.path))
        shared = Shared(resolved.datasets, resolved.splits, study.entropy, chosen)
        outcomes = _outcomes(
            executor, shared, [_job(resolved, kernels, c) for c in waiting], limits
        )
        try:
            _train(resolved, session, outcomes, progress, registry)
            with writing(folder.path):
                result = _analysed(folder)
        except KeyboardInterrupt:
            raise Interrupted(folder.path, session.trials_done, session.trials) from None
        registry.observers.run_finished(str(folder.path))
        return result


def _train(
    resolved: Plan,
    session: Session,
    outcomes: Generator[Outcome],
    progress: Progress,
    registry: Registry,
) -> None:
    """Store outcomes as they come; whatever ends this, the manifest is brought up to date."""
    path = session.folder.path
    progress.started(resolved, path, session.trials_done, session.trials)
    try:
        with closing(outcomes):
            for outcome in outcomes:
                with held():
                    session.keep(outcome)
                registry.observers.chunk_finished(str(path), outcome.job.chunk.key)
                with held():  # whose first imports must not be torn
                    progress.finished(outcome)
                check_interrupt()
        session.audit(resolved)
        session.write()
    except BaseException:
        session.cut_short()
        raise
    finally:
        progress.stopped()


def _outcomes(
    executor: Executor, shared: Shared, work: Sequence[Job], limits: Limits
) -> Generator[Outcome]:
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
    return Path("runs") / re.sub(r"[^\w.-]+", "_", f"{study.title}-{identity[:10]}")


def _check_same(folder: RunFolder, description: dict[str, Any]) -> None:
    """Refuse a folder that holds something else than this study."""
    if not (folder.path / "manifest.json").exists():
        others = [p for p in folder.path.iterdir() if not p.name.startswith(".")]
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


def _limits(jobs: int | None, seconds: float | None) -> Limits:
    for flag, value in (("--jobs", jobs), ("--chunk-seconds", seconds)):
        if value is not None and not value > 0:
            raise StudyError(f"{value} is not positive", where=flag, mend="give more than 0")
    return Limits(jobs, seconds)


def _built(registry: Registry, name: str) -> Executor:
    built = registry.find("executor", name).build({})
    if not isinstance(built, Executor):
        raise StudyError(f"{name!r} is no Executor", where="--executor")
    return built


def _default(registry: Registry, limits: Limits, chunks: int, device: str) -> Executor:
    """Processes on this machine, or this process where nothing is won by more."""
    # One process keeps a GPU busy; several would only share its memory.
    jobs = limits.jobs or (cores() if device == "cpu" else 1)
    alone = min(jobs, chunks) <= 1 and limits.seconds is None
    return _built(registry, "serial" if alone else "local")


def _networks(arm: Arm) -> bool:
    return type(arm.instance).trains_networks


def _job(resolved: Plan, kernels: Mapping[str, kernel.Kernel], chunk: Chunk) -> Job:
    """`chunk` for a worker, which trains with the kernel of this machine or not at all."""
    arm = resolved.arms[chunk.dataset, chunk.method]
    training = arm.training
    if _networks(arm):
        training = replace(training, kernel=kernels[training.kernel])
    return Job(chunk, arm.component.qualified, arm.options, training)


def failed_trials(result: Run, /) -> int:
    """Number of trials of a run that produced nothing: failed alone, or with their chunk."""
    trials = result.trials()
    failures = result.failures()
    return int((trials["status"] == "failed").sum()) + int(failures["trials"].sum())
