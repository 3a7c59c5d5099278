"""Build the study that is run for a reading."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fairbench.study import Study
from fairbench_paper.reproduction.readings import Reading, Scale

__all__ = ["alphas", "repeats", "study"]

METRICS = ("rmse", "mse", "mae", "rmse-disparity", "mse-disparity", "mae-disparity")

_HONEST_TRAINING: Mapping[str, Mapping[str, Any]] = {
    "parkinson": {"epochs": 50, "batch_size": 32, "lr": 0.01, "scale_targets": False},
    "boston": {
        "epochs": 150,
        "batch_size": 32,
        "lr": 0.001,
        "patience": 10,
        "min_delta": 1e-4,
        "scale_targets": False,
    },
}
"""As the paper trains, but without warm starts, which would tie a method's values together."""

_LAMBDA = (15.0, 30.0, 60.0, 120.0)
"""With a target in its own units λ counts in units of its variance: 66 and 85."""

_ETA = (0.0, 1e-3, 1e-2, 1e-1)


def alphas(reading: Reading, scale: Scale, /) -> tuple[float, ...]:
    """The values of α that its run trains.

    Without warm starts the two directions and the two grids are the same models under other
    names, so Parkinson trains 0.0 to 5.0 once.
    """
    if reading.role == "honest":
        return tuple(round(0.2 * step, 1) for step in range(1, 26))[:: max(1, scale.stride // 2)]
    both = reading.dataset == "parkinson"
    first, last = (0, 50) if both else (round(10 * reading.lowest), round(10 * reading.highest))
    return tuple(round(0.1 * step, 1) for step in range(first, last + 1, scale.stride))


def repeats(reading: Reading, scale: Scale, /) -> int:
    """The number of splits its run trains on."""
    return {"other": scale.others, "noise": scale.noisy}.get(reading.role, scale.seeds)


def study(reading: Reading, scale: Scale, /) -> Study:
    """Return the study to be run for a reading that trains something."""
    values: dict[str, Any] = {
        "name": reading.name,
        "datasets": [{"name": reading.dataset}],
        "metrics": METRICS,
        "error": "mse" if reading.dataset == "boston" else "rmse",
        "disparity": "mse-disparity" if reading.dataset == "boston" else "rmse-disparity",
        "seeds": repeats(reading, scale),
    }
    if reading.role == "noise":
        values |= {"methods": ["single-task"], "splits": scale.noisy, "seeds": scale.copies}
        return Study.model_validate({**values, "protocol": "paper"})
    shared = {"architecture": dict(reading.architecture)} if reading.architecture else {}
    alpha = {
        "name": "static-alpha",
        "tradeoff": alphas(reading, scale),
        "options": {**reading.method, **shared},
    }
    baseline = {"name": "single-task", "options": shared}
    if reading.role == "honest":
        return _honest(values, reading.dataset, [baseline, alpha])
    protocol = {"name": "paper", "options": dict(reading.protocol)}
    return Study.model_validate({**values, "methods": [baseline, alpha], "protocol": protocol})


def _honest(values: dict[str, Any], dataset: str, methods: list[dict[str, Any]]) -> Study:
    """The paper's method with what stands beside it, where nothing leaks."""
    features = ("+age",) if dataset == "parkinson" else ()
    more = [
        {"name": "adversarial", "tradeoff": _LAMBDA},
        {"name": "dynamic-reweighting", "tradeoff": _ETA},
        {"name": "mean"},
    ]
    changed = {
        "datasets": [{"name": dataset, "features": features}],
        "methods": [*methods, *more],
        "training": _HONEST_TRAINING[dataset],
    }
    return Study.model_validate({**values, **changed})
