"""What a run was made of: the part of its manifest that is known before training."""

from __future__ import annotations

import json
import os
import platform
import re
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

from fairbench._version import __version__
from fairbench.plugins import Code, analysis_code, code_of, code_of_class, core_code
from fairbench.study import primary_views

if TYPE_CHECKING:
    from fairbench.dataset import Dataset
    from fairbench.plugins import Component, Registry
    from fairbench.study import Arm, Plan

__all__ = ["describe", "machine"]

_PACKAGES = ("torch", "numpy", "pandas", "scikit-learn", "scipy")


def describe(
    plan: Plan, registry: Registry, kernels: Sequence[str], executor: object = None, /
) -> dict[str, Any]:
    """Everything of the manifest but progress and sittings, with the run's `id`.

    `kernels` are what trains networks: ``torch``, the compiler of the compiled kernel, or both.
    `executor` is the one asked for, if any.

    The id is a hash of what decides predictions: the study, the data, the versions, and all
    code that trains. Two runs of one id are the same run. Metrics and what makes tables of
    predictions are told apart from these: tables are made anew, predictions are not.
    """
    trained, shown = _trained(plan), list(plan.metrics)
    known = {origin: code_of(*origin) for origin in {c.origin() for c in (*trained, *shown)}}
    trainers = [known[component.origin()] for component in trained]
    if executor is not None:
        trainers.append(code_of_class(type(executor)))
    code = {
        "trained": _by_name([core_code(), *trainers]),
        "shown": _by_name([analysis_code(), *(known[component.origin()] for component in shown)]),
    }
    digests = {name: dataset.digest for name, dataset in plan.datasets.items()}
    versions = _versions()
    if kernels:
        versions["kernel"] = ", ".join(sorted(kernels))
    targets = sorted((c.kind, c.qualified, c.description.target) for c in trained)
    identity = json.dumps([versions, targets, code["trained"], digests], sort_keys=True)
    study = plan.study
    return {
        "title": study.title,
        "id": study.digest(identity),
        "study": study.model_dump(mode="json"),
        "versions": versions,
        "code": code,
        "components": [c.provenance(known[c.origin()]) for c in (*trained, *shown)],
        "protocol": {
            "name": study.protocol.name,
            "label": plan.protocol.label,
            "selection": plan.protocol.selection,
            "test_share": plan.protocol.test_share,
            "options": asdict(plan.protocol),  # type: ignore[call-overload]
        },
        "datasets": {
            name: _dataset(dataset, sorted(plan.datasets).index(name))
            for name, dataset in plan.datasets.items()
        },
        "methods": {
            name: {arm.method: _method(arm) for arm in plan.arms.values() if arm.dataset == name}
            for name in plan.datasets
        },
        "left_out": list(plan.left_out),
        "noted": [*plan.left_out, *_reading(plan)],
        "baseline": plan.baseline,
        "axes": {"error": study.error, "disparity": study.disparity},
        "primary": {
            "error": study.error,
            "disparity": study.disparity,
            "margin": study.primary.margin,
            "disparity_margin": study.primary.disparity_margin,
            "views": {
                name: list(view)
                for name, view in primary_views(study.primary, plan.datasets).items()
            },
        },
        "metrics": [component.name for component in plan.metrics],
        "machine": machine(),
        "problems": [str(problem) for problem in registry.problems],
    }


def _trained(plan: Plan) -> list[Component]:
    """Every component that predictions come from, each once."""
    parts = [part.component for arm in plan.arms.values() for part in arm.parts]
    every = [plan.protocol_component, *plan.dataset_components, *parts]
    return list({(c.kind, c.qualified): c for c in every}.values())


def _by_name(codes: Iterable[Code]) -> dict[str, Any]:
    """Code in the types of JSON, by its name.

    Components of one distribution may name modules elsewhere: then each has its own digest.
    """
    found: dict[str, list[Code]] = {}
    for code in codes:
        found.setdefault(code.name, []).append(code)
    return {
        name: {
            "version": several[0].version,
            "sha256": " ".join(sorted({code.sha256 for code in several})),
            "requires": dict(several[0].requires),
        }
        for name, several in sorted(found.items())
    }


def _versions() -> dict[str, str]:
    found = {"fairbench": __version__, "python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = ""
    return found


def _dataset(dataset: Dataset, number: int) -> dict[str, Any]:
    card = asdict(dataset.card)
    return {
        "file": f"{number}-{re.sub(r'[^A-Za-z0-9_.-]+', '_', dataset.name)[:60]}",
        "digest": dataset.digest,
        **{key: card[key] for key in ("title", "source", "licence", "citation", "warning")},
        "caveats": [*dataset.card.caveats, *dataset.card.notices],
        "rows": dataset.rows,
        "dropped": [list(pair) for pair in dataset.card.dropped],
        "features": list(dataset.feature_names),
        "targets": list(dataset.target_names),
        "protected": [
            {"name": a.name, "kind": a.kind, "labels": list(a.labels), "small": list(a.small)}
            for a in dataset.protected
        ],
        "cluster": dataset.cluster_name,
    }


def _method(arm: Arm) -> dict[str, Any]:
    tradeoff = arm.instance.tradeoff
    every = [part.component.description for part in arm.parts]
    rules = [one for one in every if one.kind in ("method", "weighting")]
    return {
        "name": arm.component.name,
        "summary": ": ".join(one.summary for one in rules),
        "citation": _each("; ", (one.citation for one in rules)),
        "warning": _each(" ", (one.warning for one in every)),
        "facts": asdict(arm.instance.facts),
        "options": dict(arm.options),
        "tradeoff": None
        if tradeoff is None
        else {
            "name": tradeoff.name,
            "low": _bound(tradeoff.low),
            "high": _bound(tradeoff.high),
            "fair_end": tradeoff.fair_end,
        },
        "values": list(arm.values),
        "training": asdict(arm.training),
    }


def _each(between: str, texts: Iterable[str]) -> str:
    """Join the texts that say something, each once."""
    return between.join(dict.fromkeys(text for text in texts if text))


def _reading(plan: Plan) -> list[str]:
    """What a reader of any report must know: who reads or guesses the attribute, or draws."""
    facts = {arm.method: arm.instance.facts for arm in plan.arms.values()}
    return [
        f"{method} {told.words}"
        for method, told in facts.items()
        if told.at_prediction != "no" or told.randomised
    ]


def _bound(value: float) -> float | None:
    """JSON has no infinity."""
    return value if abs(value) != float("inf") else None


def machine() -> dict[str, Any]:
    """What is known of the machine that this process runs on."""
    memory = None
    if hasattr(os, "sysconf"):
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {
        "platform": platform.platform(),
        "processor": platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "memory_gb": None if memory is None else round(memory, 1),
    }
