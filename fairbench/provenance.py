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
from fairbench.study import primary_views

if TYPE_CHECKING:
    from fairbench.dataset import Dataset
    from fairbench.plugins import Component, Registry
    from fairbench.study import Arm, Plan

__all__ = ["describe"]

_PACKAGES = ("torch", "numpy", "pandas", "scikit-learn", "scipy")


def describe(plan: Plan, registry: Registry, kernels: Sequence[str], /) -> dict[str, Any]:
    """Everything of the manifest but progress and command, with the run's `id`.

    `kernels` are what trains networks: ``torch``, the compiler of the compiled kernel, or both.

    The id is a hash of what decides predictions: the study, the data, the versions, and the
    code of the plugins that train. Two runs of one id are the same run.
    """
    components = [component.provenance() for component in _components(plan)]
    trained = [c for c in components if c["kind"] != "metric"]
    digests = {name: dataset.digest for name, dataset in plan.datasets.items()}
    versions = _versions()
    if kernels:
        versions["kernel"] = ", ".join(sorted(kernels))
    identity = json.dumps([versions, trained, digests], sort_keys=True, default=str)
    study = plan.study
    return {
        "title": study.title,
        "id": study.digest(identity),
        "study": study.model_dump(mode="json"),
        "versions": versions,
        "components": components,
        "protocol": {
            "name": study.protocol.name,
            "label": plan.protocol.label,
            "selection": plan.protocol.selection,
            "test_share": plan.protocol.test_share,
            "options": asdict(plan.protocol),  # type: ignore[call-overload]
        },
        "datasets": {
            name: _dataset(dataset, number)
            for number, (name, dataset) in enumerate(plan.datasets.items())
        },
        "methods": {
            name: {arm.method: _method(arm) for arm in plan.arms.values() if arm.dataset == name}
            for name in plan.datasets
        },
        "baseline": _baseline(plan),
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
        "machine": _machine(),
        "problems": [str(problem) for problem in registry.problems],
        "notes": [],
    }


def _components(plan: Plan) -> Iterable[Component]:
    arms = {arm.component.qualified: arm.component for arm in plan.arms.values()}
    return [plan.protocol_component, *plan.dataset_components, *arms.values(), *plan.metrics]


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
        "caveats": list(dataset.card.caveats),
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
    description, tradeoff = arm.component.description, arm.instance.tradeoff
    return {
        "name": description.name,
        "summary": description.summary,
        "citation": description.citation,
        "warning": description.warning,
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


def _bound(value: float) -> float | None:
    """JSON has no infinity."""
    return value if abs(value) != float("inf") else None


def _baseline(plan: Plan) -> str | None:
    name = plan.study.baseline
    return next((m.title for m in plan.study.all_methods if m.name == name), None)


def _machine() -> dict[str, Any]:
    memory = None
    if hasattr(os, "sysconf"):
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {
        "platform": platform.platform(),
        "processor": platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "memory_gb": None if memory is None else round(memory, 1),
    }
