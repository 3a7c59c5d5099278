"""Run folders made up in memory: what a real run leaves behind, without training anything."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fairbench.analyze import EDITION
from fairbench.dataset import Protected
from fairbench.fold import Split
from fairbench.method import Prediction, Trained, Trial
from fairbench.store import Rows, RunFolder

SCRIPT = "<script>alert(1)</script>"
IMAGE = '"><img src=x onerror=alert(1)>'
METRICS = ["mae", "mse", "rmse", "r2", "mae-disparity", "rmse-disparity", "mean-parity"]


@dataclass(frozen=True)
class Arm:
    """A made-up method: `gap` is how much of the group bias is left at a trade-off value."""

    label: str
    gap: Callable[[float], float]
    noise: Callable[[float], float]
    values: tuple[float | None, ...] = (None,)

    @property
    def facts(self) -> dict:
        swept = self.values != (None,)
        return {
            "name": self.label if self.label.isidentifier() else "static-alpha",
            "summary": f"A made-up method called {self.label}",
            "citation": "Nobody (2025). Made up.",
            "warning": "",
            "options": {"hidden": [64, 32], "note": SCRIPT},
            "tradeoff": {"name": "alpha", "low": 0.0, "high": 5.0, "fair_end": "high"}
            if swept
            else None,
            "values": list(self.values),
            "training": {"epochs": 50, "batch_size": 32, "optimizer": "adam", "lr": 0.01},
        }


def alphas(count: int) -> tuple[float, ...]:
    return tuple(round(5 * (k + 1) / count, 3) for k in range(count))


def arms(count: int = 12) -> list[Arm]:
    return [
        Arm("single-task", lambda a: 1.0, lambda a: 1.0),
        Arm("static-alpha", lambda a: 1 - 0.12 * a, lambda a: 1 + 0.012 * a**2, alphas(count)),
        Arm("ridge", lambda a: 1.15, lambda a: 1.25),
        Arm(IMAGE, lambda a: 1.05 - 0.05 * a, lambda a: 1.05 + 0.03 * a, alphas(6)),
    ]


Attributes = Sequence[tuple[str, str, tuple[str, ...]]]


def rows(size: int, targets: int, protected: Attributes, splits: int, selection: str, seed: int):
    draw = np.random.default_rng(seed)
    attributes = []
    for name, kind, labels in protected:
        groups = draw.integers(0, len(labels), size)
        values = groups + (draw.random(size) if kind == "continuous" else 0.0)
        attributes.append(Protected(name, kind, values.astype(float), groups, labels))
    ends = [0.6, 0.8] if selection == "validation" else [0.8, 0.8]
    cuts = []
    for _ in range(splits):
        parts = np.split(draw.permutation(size), [int(end * size) for end in ends])
        cuts.append(Split(*map(np.sort, parts)))
    y = 20 + 8 * draw.standard_normal((size, targets))
    return Rows(y, tuple(attributes), np.arange(size) // 4, tuple(cuts))


def predict(arm: Arm, value: float | None, data: Rows, split: Split, shared, draw) -> Prediction:
    """Noise that is mostly the seed's own, and larger for every group but the first."""
    at = value or 0.0
    gap = max(arm.gap(at), 0.0) * (data.protected[0].groups > 0)
    spread = 3 * arm.noise(at) * (1 + 0.5 * gap)
    own = draw.standard_normal(data.targets.shape)
    y = data.targets + spread[:, None] * (0.95 * shared + 0.3 * own)
    return Prediction(y[split.validation], y[split.test], {"epochs": np.array(50.0)})


def write_run(
    path: Path,
    *,
    methods: Sequence[Arm] | None = None,
    splits: int = 5,
    trouble: bool = True,
    labels: tuple[str, ...] = ("parkinson", SCRIPT),
    group_label: str = IMAGE,
    selection: str = "validation",
    baseline: bool = True,
    metrics: Sequence[str] = METRICS,
    views: int = 2,
    title: str = "static-alpha on made-up data",
    seed: int = 0,
    margin: float = 0.05,
) -> RunFolder:
    """Write a run folder: one failed chunk and one diverged trial where `trouble`.

    The first dataset has two targets and two protected attributes, or one of each (`views`); of
    the others each has one.
    The data depend on the labels alone, so that runs with different seeds can share a sheet.
    """
    methods = arms() if methods is None else methods
    folder = RunFolder(path)
    folder.write_manifest({"id": f"{seed:012x}"})  # files say which run they are of
    sets = {
        labels[0]: rows(
            320,
            2 if views > 1 else 1,
            [
                ("sex", "binary", ("female", "male")),
                ("age", "continuous", ("[33, 65)", "[65, 86)")),
            ][:views],
            splits,
            selection,
            0,
        )
    }
    if len(labels) > 1:
        categories = ("young", group_label, "old")
        sets[labels[1]] = rows(
            240, 1, [("age group", "categorical", categories)], splits, selection, 1
        )
    for number, label in enumerate(labels[2:], 2):
        sets[label] = rows(
            240, 1, [("region", "categorical", ("north", "south"))], splits, selection, number
        )
    facts = {}
    for number, (label, data) in enumerate(sets.items()):
        folder.write_rows(f"data{number}", data)
        facts[label] = _dataset_facts(f"data{number}", label, data, number)
    done = failed = 0
    keys = {}
    draw = np.random.default_rng(seed)
    for number, (label, data) in enumerate(sets.items()):
        noise = np.random.default_rng(7).standard_normal((splits, *data.targets.shape))
        for order, arm in enumerate(methods):
            for split in range(splits):
                trials = [Trial(label, arm.label, v, split, split) for v in arm.values]
                key = f"d{number}-m{order}-s{split}"
                keys[key] = len(trials)
                if trouble and (number, order, split) == (0, 2, 1):
                    detail = "Traceback (most recent call last):\n  ...\nMemoryError: " + SCRIPT
                    folder.write_failure(key, trials, "MemoryError: worker died", detail)
                    failed += 1
                    continue
                made = [
                    predict(arm, v, data, data.splits[split], noise[split], draw)
                    for v in arm.values
                ]
                if trouble and (number, order, split) == (0, 1, 3):
                    lost = made[4]
                    made[4] = Prediction(
                        np.full_like(lost.validation, np.nan),
                        np.full_like(lost.test, np.nan),
                        status="diverged",
                        note="loss became infinite in epoch 7",
                    )
                folder.write_chunk(key, trials, Trained(made, 50 * 6 * len(trials)), 1.25)
                done += 1
    trials = sum(len(arm.values) for arm in methods) * splits * len(sets)
    manifest = _manifest(methods, sets, facts, splits, trials, done, failed, seed)
    manifest["title"] = title
    manifest["chunks"] = keys
    manifest["metrics"] = list(metrics)
    manifest["primary"]["margin"] = margin
    manifest["protocol"]["selection"] = selection
    if not baseline:
        manifest["baseline"] = None
    folder.write_manifest(manifest)
    return folder


def _dataset_facts(file: str, label: str, data: Rows, number: int) -> dict:
    return {
        "file": file,
        "digest": f"{number}" * 64,
        "title": f"Made-up recordings of {label}",
        "source": "https://example.org/data?a=1&b=2",
        "licence": "CC BY 4.0",
        "citation": "Nobody (2025). Made-up data.",
        "caveats": ["Recordings of one person resemble each other.", IMAGE],
        "warning": "This data holds a column that must not be used." if number == 0 else "",
        "rows": len(data.targets),
        "dropped": [["missing target", 4]],
        "features": [f"feature {k}" for k in range(16)],
        "targets": ["motor_UPDRS", "total_UPDRS"][: data.targets.shape[1]],
        "protected": [
            {"name": p.name, "kind": p.kind, "labels": list(p.labels), "small": []}
            for p in data.protected
        ],
        "cluster": "subject#" if number == 0 else "",
    }


def _manifest(methods, sets, facts, splits, trials, done, failed, seed) -> dict:
    lost = len(methods[2].values) * failed if failed else 0
    return {
        "title": "static-alpha on made-up data",
        "id": f"{seed:012x}",
        "study": {
            "methods": [{"name": arm.label} for arm in methods],
            "seeds": splits,
            "error": "rmse",
            "disparity": "rmse-disparity",
            "entropy": 0,
        },
        "command": f"fairbench run -m static-alpha -d '{SCRIPT}'",
        "versions": {"fairbench": "0.1", "python": "3.11", "torch": "2.9"},
        "components": [],
        "protocol": {
            "name": "honest",
            "label": "Clusters stay whole; selected on validation, reported on test.",
            "selection": "validation",
            "options": {"folds": 5},
        },
        "datasets": facts,
        "methods": {label: {arm.label: arm.facts for arm in methods} for label in sets},
        "baseline": methods[0].label,
        "axes": {"error": "rmse", "disparity": "rmse-disparity"},
        "rules": EDITION,
        "primary": {
            "error": "rmse",
            "disparity": "rmse-disparity",
            "margin": 0.05,
            "disparity_margin": 0.2,
            "views": {
                label: [own["targets"][0], own["protected"][0]["name"]]
                for label, own in facts.items()
            },
        },
        "metrics": METRICS,
        "machine": {"platform": "Linux", "processor": "made up", "cores": 2, "memory_gb": 8.0},
        "progress": {
            "started": "2025-01-01T10:00:00+00:00",
            "updated": "2025-01-01T10:03:20+00:00",
            "trials": trials,
            "trials_done": trials - lost,
            "chunks": done + failed,
            "chunks_done": done,
            "chunks_failed": failed,
            "model_steps": 300 * trials,
            "train_seconds": 187.5,
            "wall_seconds": 200.0,
            "jobs": 2,
            "device": "cpu",
            "executor": "processes",
        },
        "problems": ["plugin 'broken' was left out: no module named 'nope'"],
        "notes": [],
    }
