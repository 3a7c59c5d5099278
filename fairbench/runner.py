"""Run a study: plan, execute, store, analyse, report."""

from __future__ import annotations

import re
from collections.abc import Collection, Generator, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from fairbench import kernel
from fairbench.continuation import check_same
from fairbench.errors import StudyError
from fairbench.estimate import seconds_of
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
    refuse_unguarded,
    starting,
    vouch,
)
from fairbench.plugins import digest_of_parts
from fairbench.progress import Interrupted, Progress, Quiet
from fairbench.provenance import describe
from fairbench.session import Session
from fairbench.store import Cost, RunFolder, writing
from fairbench.study import Chunk, Plan, Study, plan

if TYPE_CHECKING:
    from fairbench.analyze import Ahead, Run
    from fairbench.plugins import Registry

__all__ = ["failed_trials", "run"]


def run(
    study: Study,
    /,
    *,
    out: str | Path | None = None,
    jobs: int | None = None,
    device: str = "auto",
    executor: str | Executor | None = None,
    chunk_seconds: float | None = None,
    retry_failed: bool = False,
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
    retry_failed
        Train chunks again in which trials failed for a reason of their own. Those that failed
        for want of memory, disk or the like, and chunks that failed as a whole, are trained again
        anyway.
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

    refuse_unguarded()
    registry = registry or fairbench.plugins.load()
    limits = _limits(jobs, chunk_seconds)
    if isinstance(executor, str):
        executor = _built(registry, executor)
    with _followed(progress) as following:
        resolved = plan(study, registry, following.entered)
        for remark in resolved.left_out:
            following.noted(remark)
        chosen = _device(device)
        kernels: dict[str, kernel.Kernel] = {
            wanted: kernel.chosen(wanted, chosen)
            for wanted in {a.training.kernel for a in resolved.arms.values() if a.trains_networks}
        }
        trainers = {
            name: kernel.describe() if name == "compiled" else name for name in kernels.values()
        }
        description = describe(resolved, registry, [*trainers.values()], executor)
        folder = RunFolder(_place(resolved.study, out, description["id"]))
        chunks = list(resolved.chunks())
        with folder.locked(), heeded():
            check_same(folder, description)
            done = folder.finished()
            waiting = [chunk for chunk in chunks if _is_due(done.get(chunk.key), retry_failed)]
            executor = executor or _default(registry, limits, len(waiting), chosen)
            jobs = executor.width(limits, len(waiting))
            shared = Shared(resolved.datasets, resolved.splits, study.entropy, chosen)
            # What the baseline's luck hides is told before the methods are trained.
            first = sorted(waiting, key=lambda chunk: chunk.method != description["baseline"])
            work = _jobs(resolved, kernels, first)
            # Before all that is prepared here: workers import meanwhile what they need.
            with ExitStack() as stack:
                with held():  # an interrupt must find what ends the workers that were started
                    outcomes = _outcomes(executor, shared, work, limits)
                    stack.enter_context(closing(outcomes))
                session = Session(folder, description, chunks, done, waiting)
                if waiting:
                    name = type(executor).__name__.lower()
                    session.sit(command, jobs=jobs, device=chosen, executor=name)
                following.entered("storing the rows")
                session.prepare(resolved)
                if waiting:
                    for remark in session.foresee(resolved):
                        following.noted(remark)
                registry.observers.run_started(str(folder.path))
                seconds = seconds_of(shared, work)
                try:
                    following.started(
                        resolved,
                        folder.path,
                        session.trials - session.due,
                        session.trials,
                        None if seconds is None else seconds / jobs,
                    )
                    stored = done.keys() - {chunk.key for chunk in waiting}
                    meanwhile = executor.elsewhere and bool(waiting)
                    with _measuring(folder, stored, meanwhile) as ahead:
                        _train(resolved, session, outcomes, following, registry, ahead)
                        following.entered("analysing")
                        with writing(folder.path):
                            result = _analysed(folder, ahead)
                except KeyboardInterrupt:
                    raise Interrupted(folder.path, session.trials_done, session.trials) from None
            registry.observers.run_finished(str(folder.path))
            return result


@contextmanager
def _followed(progress: Progress | None) -> Iterator[Progress]:
    """Whoever follows the run, told of its end however that comes."""
    following = progress or Quiet()
    try:
        yield following
    finally:
        following.stopped()


def _train(
    resolved: Plan,
    session: Session,
    outcomes: Generator[Outcome],
    progress: Progress,
    registry: Registry,
    ahead: Ahead | None,
) -> None:
    """Store outcomes as they come; whatever ends this, the manifest is brought up to date."""
    path = session.folder.path
    try:
        with closing(outcomes):
            for outcome in outcomes:
                with held():
                    session.keep(outcome)
                    remarks = session.learned(outcome)
                for remark in remarks:
                    progress.noted(remark)
                if ahead is not None and outcome.trained is not None:
                    ahead.add(outcome.job.chunk.key)
                registry.observers.chunk_finished(str(path), outcome.job.chunk.key)
                with held():  # whose first imports must not be torn
                    progress.finished(outcome)
                check_interrupt()
        progress.entered("auditing the data")
        session.audit(resolved)
        session.end()
    except BaseException as error:
        session.cut_short(error)
        raise


@contextmanager
def _measuring(
    folder: RunFolder, stored: Collection[str], meanwhile: bool
) -> Iterator[Ahead | None]:
    """Whoever measures chunks beside the training, where that is done elsewhere."""
    if not meanwhile:
        yield None
        return
    from fairbench.analyze import Ahead

    with starting():
        ahead = Ahead(folder.path)
    try:
        for key in sorted(stored):
            ahead.add(key)
        yield ahead
    finally:
        ahead.close()


def _outcomes(
    executor: Executor, shared: Shared, work: Sequence[Job], limits: Limits
) -> Generator[Outcome]:
    if not work:
        return _nobody()
    return executor.run(shared, work, limits)  # type: ignore[return-value]  # it is a generator


def _nobody() -> Generator[Outcome]:
    yield from ()


def _is_due(cost: Cost | None, retry_failed: bool) -> bool:
    """Whether a chunk has to be trained: one that is not on disk, or in part worth a new try."""
    return cost is None or bool(cost.transient or (retry_failed and cost.failed))


def _analysed(folder: RunFolder, ahead: Ahead | None) -> Run:
    from fairbench.analyze import Run

    if ahead is not None:
        ahead.finish()
    result = Run(folder.path, ahead=ahead)
    result.write_tables()
    return result


def _place(study: Study, out: str | Path | None, identity: str) -> Path:
    if out is not None:
        return Path(out)
    name = f"{study.ordered.title}-{identity[:10]}"
    return Path("runs") / re.sub(r"[^\w.-]+", "_", name)


def _device(wanted: str) -> str:
    if wanted == "cpu" or (wanted == "auto" and not Path("/dev/nvidiactl").exists()):
        return "cpu"
    import torch

    if torch.cuda.is_available():
        return "cuda"
    if wanted == "auto":
        return "cpu"
    raise StudyError(
        "torch finds no CUDA device", where="--device cuda", hint="use --device cpu or auto"
    )


def _limits(jobs: int | None, seconds: float | None) -> Limits:
    for flag, value in (("--jobs", jobs), ("--chunk-seconds", seconds)):
        if value is not None and not value > 0:
            raise StudyError(f"{value} is not positive", where=flag, hint="give more than 0")
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


def _jobs(
    resolved: Plan, kernels: Mapping[str, kernel.Kernel], chunks: Sequence[Chunk]
) -> list[Job]:
    """`chunks` for workers, which train with this process's kernel and code or not at all."""
    codes = {place: digest_of_parts(arm.parts) for place, arm in resolved.arms.items()}
    for code in codes.values():
        vouch(code)
    jobs = []
    for chunk in chunks:
        arm = resolved.arms[place := (chunk.dataset, chunk.method)]
        training = arm.training
        if arm.trains_networks:
            training = replace(training, kernel=kernels[training.kernel])
        jobs.append(Job(chunk, arm.component.qualified, arm.options, training, codes[place]))
    return jobs


def failed_trials(result: Run, /) -> int:
    """Number of trials of a run that produced nothing: failed alone, or with their chunk."""
    return int((result.trials()["status"] == "failed").sum())
