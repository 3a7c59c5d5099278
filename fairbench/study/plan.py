"""Plan a study: from its names and settings to the chunks that have to be trained."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fairbench.data import is_table_file, open_dataset
from fairbench.errors import StudyError
from fairbench.fold import Fold, Split
from fairbench.method import Method, Trial
from fairbench.plugins import parts_of, trains_networks
from fairbench.protocol import Protocol
from fairbench.seeds import split_seed
from fairbench.study.check_splits import check_groups, check_kind
from fairbench.study.grid import check_grid
from fairbench.study.methods import methods_of
from fairbench.study.primary import primary_views
from fairbench.study.study import MethodSpec, Study, training_of
from fairbench.training import Training

if TYPE_CHECKING:
    from fairbench.dataset import Dataset
    from fairbench.plugins import Component, Part, Registry

__all__ = ["Arm", "Chunk", "Plan", "plan"]

MOST_TRIALS = 10_000_000
"""Trials of one study: their names alone take some gigabytes."""


@dataclass(frozen=True, slots=True)
class Arm:
    """A method on a dataset: what its trials have in common.

    `options` are complete but for the method's defaults; `parts` are the method and all that it
    is made of; `values` is ``(None,)`` for a method without trade-off.
    """

    dataset: str
    method: str
    component: Component
    options: Mapping[str, object]
    instance: Method
    parts: tuple[Part, ...]
    values: tuple[float | None, ...]
    training: Training

    @property
    def trains_networks(self) -> bool:
        """Whether any part is a network."""
        return trains_networks(self.parts)


@dataclass(frozen=True, slots=True)
class Chunk:
    """Trials that are trained together: one dataset, one method, one split."""

    key: str
    dataset: str
    method: str
    split: int
    trials: tuple[Trial, ...]


@dataclass(frozen=True)
class Plan:
    """A study resolved: data in memory, splits drawn, methods built, chunks laid out.

    `study` names its methods in full; `baseline` is what reports call its baseline, if any;
    `left_out` says which methods refused which datasets, where the study leaves these out.
    """

    study: Study
    baseline: str | None
    protocol: Protocol
    protocol_component: Component
    datasets: Mapping[str, Dataset]
    dataset_components: tuple[Component, ...]
    splits: Mapping[str, tuple[Split, ...]]
    arms: Mapping[tuple[str, str], Arm]
    metrics: tuple[Component, ...]
    left_out: tuple[str, ...] = ()

    def chunks(self) -> Iterator[Chunk]:
        """Every chunk, in the order they are trained; the same for every run of the study."""
        for (dataset, method), arm in self.arms.items():
            by_split: dict[int, list[int]] = {}
            for split, seed in self.study.repeats:
                by_split.setdefault(split, []).append(seed)
            for split, seeds in by_split.items():
                trials = [
                    Trial(dataset, method, value, seed, split)
                    for seed in seeds
                    for value in arm.values
                ]
                blocks = _blocks(trials, len(arm.values), arm.training.chain)
                for part in _even(blocks, arm.training.lanes):
                    yield _chunk(dataset, method, split, [t for block in part for t in block])

    @property
    def size(self) -> tuple[int, int]:
        """Number of chunks and of trials."""
        lengths = [len(chunk.trials) for chunk in self.chunks()]
        return len(lengths), sum(lengths)


def _blocks(trials: list[Trial], values: int, chain: int) -> list[list[Trial]]:
    """Trials that must stay together: `chain` neighbouring values of one seed."""
    sweeps = [trials[start : start + values] for start in range(0, len(trials), values)]
    return [s[start : start + chain] for s in sweeps for start in range(0, len(s), chain)]


def _even(blocks: Sequence[list[Trial]], most: int) -> Iterator[Sequence[list[Trial]]]:
    """`blocks` in order, cut into the fewest parts of at most `most`, as even as can be."""
    parts = -(-len(blocks) // most)
    for part in range(parts):
        yield blocks[len(blocks) * part // parts : len(blocks) * (part + 1) // parts]


def _chunk(dataset: str, method: str, split: int, trials: list[Trial]) -> Chunk:
    """`trials` under a key that is unique within the study and fit to be a file's name."""
    content = repr((dataset, method, split, [(trial.value, trial.seed) for trial in trials]))
    digest = hashlib.sha256(content.encode()).hexdigest()
    stem = re.sub(r"[^A-Za-z0-9_.-]+", "_", f"{dataset}-{method}")[:80]
    return Chunk(f"{stem}-split{split}-{digest[:12]}", dataset, method, split, tuple(trials))


def plan(
    study: Study, registry: Registry, /, entered: Callable[[str], None] = lambda _phase: None
) -> Plan:
    """Resolve every name in `study`, load its data, draw its splits, build its methods.

    `entered` is told in words what is done next, where that may take long.

    Raises
    ------
    FairbenchError
        For the first thing that cannot be run as written.
    """
    metrics = _metrics(study, registry)
    component = registry.find("protocol", study.protocol.name)
    protocol = component.build(study.protocol.options)
    if not isinstance(protocol, Protocol):
        raise StudyError(f"{study.protocol.name!r} is no Protocol", where=component.qualified)
    methods = methods_of(study, registry)
    study = study.model_copy(update={"methods": methods.specs})
    datasets: dict[str, Dataset] = {}
    sources: list[Component] = []
    for spec in study.datasets:
        entered(f"reading {spec.label or spec.name}")
        dataset = open_dataset(protocol.dataset(spec), registry)
        label = spec.label or dataset.name
        if label in datasets:
            raise StudyError(f"dataset {label!r} stands twice", hint="give each use its own label")
        datasets[label] = dataset
        if not is_table_file(spec.name, registry):
            sources.append(registry.find("dataset", spec.name))
    arms = {
        (label, spec.title): _arm(study, registry, protocol, label, dataset, spec, component)
        for label, dataset in datasets.items()
        for spec, component in methods.all
    }
    if len(arms) < len(datasets) * len(methods.all):
        raise StudyError("a method stands twice", hint="give each use its own label")
    _check_size(study, arms)
    primary_views(study.primary, datasets)  # a name that is nowhere is said before training
    splits = {}
    for name, dataset in datasets.items():
        entered(f"splitting {name}, {dataset.rows:,} rows")
        splits[name] = _splits(study, protocol, dataset)
    left_out = []
    for place, arm in list(arms.items()):
        try:
            _check(arm, Fold(datasets[arm.dataset], splits[arm.dataset][0]))
        except StudyError as error:
            if study.unfit == "refuse" or len(arms) == 1:
                raise
            del arms[place]
            left_out.append(f"{arm.method} is left out on {arm.dataset}: {error.what}")
    return Plan(
        study,
        methods.baseline,
        protocol,
        component,
        datasets,
        tuple(sources),
        splits,
        arms,
        metrics,
        tuple(left_out),
    )


def _check_size(study: Study, arms: Mapping[tuple[str, str], Arm]) -> None:
    trials = (study.splits or 1) * study.seeds * sum(len(arm.values) for arm in arms.values())
    if trials > MOST_TRIALS:
        raise StudyError(
            f"the study has {trials:,} trials, more than {MOST_TRIALS:,}",
            hint="take fewer seeds, splits or trade-off values, or several studies",
        )


def _metrics(study: Study, registry: Registry) -> tuple[Component, ...]:
    names = dict.fromkeys((*study.metrics, study.error, study.disparity))
    chosen = tuple(registry.find("metric", name) for name in names)
    return chosen if study.metrics else registry.components("metric")


def _arm(
    study: Study,
    registry: Registry,
    protocol: Protocol,
    label: str,
    dataset: Dataset,
    spec: MethodSpec,
    component: Component,
) -> Arm:
    options = {**protocol.options(component.name, dataset.name), **spec.options}
    instance = component.build(options)
    if not isinstance(instance, Method):
        raise StudyError(f"{spec.name!r} is no Method", where=component.qualified)
    parts = parts_of(registry, component, options, instance)
    training = training_of(protocol.training(dataset.name), study.training)
    tradeoff = instance.tradeoff
    values: tuple[float | None, ...] = (None,)
    if tradeoff is not None:
        values = spec.tradeoff or tradeoff.grid
        check_grid(spec.tradeoff or tradeoff.grid, tradeoff, spec.title)
    elif spec.tradeoff is not None:
        raise StudyError(
            f"method {spec.title!r} has no trade-off to sweep",
            hint="leave its values out",
        )
    return Arm(label, spec.title, component, options, instance, parts, values, training)


def _check(arm: Arm, fold: Fold) -> None:
    """Refuse a method that cannot be trained as asked for; its own defects are not the study's."""
    check_kind(arm.instance.facts.takes, fold.dataset, arm.method)
    try:
        arm.instance.check(fold, arm.training)
    except StudyError as error:
        where = error.where or f"method {arm.method!r} on {arm.dataset!r}"
        raise StudyError(error.what, where=where, hint=error.hint) from error
    except Exception:  # recorded where it is trained, and the other methods go on
        return


def _splits(study: Study, protocol: Protocol, dataset: Dataset) -> tuple[Split, ...]:
    count = 1 + max(split for split, _ in study.repeats)
    seeds = [split_seed(study.entropy, number) % 2**32 for number in range(count)]
    splits = protocol.splits(dataset, seeds)
    for number, split in enumerate(splits):
        check_groups(dataset, split, number)
    return splits
