"""Run folders written without training anything, and the metrics to read them with."""

import numpy as np
import pytest

from fairbench.dataset import Protected
from fairbench.fold import Split
from fairbench.method import Prediction, Trained, Trial
from fairbench.plugins import MetricDescription, added, hookimpl
from fairbench.store import Rows, RunFolder


def _groups(protected):
    return range(len(protected.labels))


def error(prediction, target, protected, /):
    return np.abs(prediction - target).mean(-1)


def gap(prediction, target, protected, /):
    wrong = np.abs(prediction - target)
    means = np.stack([wrong[..., protected.groups == g].mean(-1) for g in _groups(protected)])
    return means.max(0) - means.min(0)


def bias_gap(prediction, target, protected, /):
    wrong = prediction - target
    means = np.stack([wrong[..., protected.groups == g].mean(-1) for g in _groups(protected)])
    return means.max(0) - means.min(0)


def closeness(prediction, target, protected, /):
    return -gap(prediction, target, protected)


class Metrics:
    """A plugin with an error and three disparities, of which one is best when high."""

    @hookimpl
    def fairbench_metrics(self):
        here = "fairbench_analyze_fixture"
        for name, attribute, role, best in [
            ("err", "error", "error", "low"),
            ("gap", "gap", "disparity", "low"),
            ("bias-gap", "bias_gap", "disparity", "low"),
            ("closeness", "closeness", "disparity", "high"),
        ]:
            yield MetricDescription(
                name=name,
                summary=name,
                target=f"{here}:{attribute}",
                role=role,
                best=best,
                smallest_group=2,
            )


@pytest.fixture
def metrics(monkeypatch):
    """The registry with the plugin above added to what is installed."""
    import sys
    from types import ModuleType

    module = ModuleType("fairbench_analyze_fixture")
    vars(module).update(error=error, gap=gap, bias_gap=bias_gap, closeness=closeness)
    monkeypatch.setitem(sys.modules, module.__name__, module)
    with added(Metrics(), name="fixture") as registry:
        yield registry


def split_of(rows, number):
    order = np.random.default_rng(number).permutation(rows)
    a, b = int(rows * 0.6), int(rows * 0.8)
    return Split(*(np.sort(part) for part in (order[:a], order[a:b], order[b:])))


@pytest.fixture
def make_run(tmp_path):
    """Write a run folder: methods with values, each predicting y plus noise of its own."""

    def make(
        name="run",
        methods=None,
        splits=3,
        seeds=(0,),
        rows=100,
        baseline="base",
        selection="validation",
        seed=0,
        metrics=("err", "gap", "bias-gap", "closeness"),
        broken=(),
        dataset="toy",
        clusters=None,
        predict=None,
        groups=2,
        split=split_of,
    ):
        methods = methods or {"base": (None,), "tuned": (0.5, 1.0, 2.0)}
        rng = np.random.default_rng(seed)
        y = rng.normal(size=(rows, 1))
        labels, kind = tuple("fmabcdegh"[:groups]), "binary" if groups == 2 else "categorical"
        groups = rng.integers(0, groups, rows)
        protected = Protected("sex", kind, groups.astype(float), groups, labels)
        parts = tuple(split(rows, number) for number in range(splits))
        folder = RunFolder(tmp_path / name)
        folder.write_manifest(
            {
                "title": name,
                "study": {"entropy": 0},
                "protocol": {"name": "honest", "label": "", "selection": selection, "options": {}},
                "datasets": {
                    dataset: {
                        "file": "toy",
                        "targets": ["y"],
                        "protected": [
                            {"name": "sex", "kind": kind, "labels": list(labels), "small": []}
                        ],
                        "cluster": "" if clusters is None else "person",
                        "rows": rows,
                    }
                },
                "methods": {dataset: {m: {"values": list(v)} for m, v in methods.items()}},
                "baseline": baseline,
                "axes": {"error": "err", "disparity": "gap"},
                "metrics": list(metrics),
                "problems": [],
                "notes": [],
            }
        )
        folder.write_rows("toy", Rows(y, (protected,), clusters, parts))
        for method, values in methods.items():
            for number, split in enumerate(parts):
                trials, predictions = [], []
                for s in seeds:
                    for value in values:
                        trial = Trial(dataset, method, value, s, number)
                        if predict is None:
                            ŷ = y + rng.normal(size=y.shape) * (0.5 + 0.5 * groups[:, None])
                        else:
                            ŷ = predict(trial, y, groups, rng)
                        fine = (method, value, number) not in broken
                        trials.append(trial)
                        predictions.append(
                            Prediction(
                                ŷ[split.validation] if fine else ŷ[split.validation] * np.nan,
                                ŷ[split.test] if fine else ŷ[split.test] * np.nan,
                                {"epochs": np.float64(7)},
                                "ok" if fine else "diverged",
                                "" if fine else "loss is NaN",
                            )
                        )
                folder.write_chunk(f"{method}-{number}", trials, Trained(predictions), 0.5)
        return folder

    return make
