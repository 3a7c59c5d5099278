"""A run folder never serves what other code trained, and one study has one folder."""

from __future__ import annotations

import importlib
import itertools
import os
import sys
import time
from pathlib import Path

import pytest

import fairbench
from fairbench.errors import PluginError, RunFolderError, StudyError
from fairbench.kernel import build
from fairbench.plugins import load
from fairbench.study import Study, plan

PLUGIN = """
    from fairbench.plugins import (
        MethodDescription, MetricDescription, ModelDescription, WeightingDescription, hookimpl
    )

    @hookimpl
    def fairbench_methods():
        for name in ("Plain", "Net", "Ruled", "Wrapping", "Secret", "Loop", "Deep"):
            yield MethodDescription(name=name.lower(), summary="x", target=f"foreign_parts:{name}")

    @hookimpl
    def fairbench_models():
        yield ModelDescription(name="wide", summary="x", target="foreign_parts:Wide")

    @hookimpl
    def fairbench_weightings():
        yield WeightingDescription(name="heavy", summary="x", target="foreign_parts:Heavy")

    @hookimpl
    def fairbench_metrics():
        yield MetricDescription(
            name="shifted", summary="x", target="foreign_parts:shifted", role="error"
        )
"""

PARTS = """
    from dataclasses import dataclass, field
    from typing import Any

    import numpy as np
    import torch
    from torch import nn

    from fairbench.method import Method, OneByOne, Prediction, Use
    from fairbench.plugins import load
    from fairbench.train import NetworkMethod, protected_task, target_tasks
    from fairbench.weighting import Weighting
    from foreign_helper import SHIFT

    @dataclass(frozen=True)
    class Plain(OneByOne):
        def fit(self, trial, work):
            split, width = work.fold.split, work.fold.dataset.targets.shape[1]
            return Prediction(*(np.full((split[p].size, width), SHIFT)
                                for p in ("validation", "test")))

    @dataclass(frozen=True)
    class Wide:
        def build(self, features, tasks):
            module = nn.Module()
            module.trunk = nn.Sequential(nn.Linear(features, 4), nn.ReLU())
            module.heads = nn.ModuleDict({t.name: nn.Linear(4, t.width) for t in tasks})
            return module

    @dataclass(frozen=True)
    class Heavy(Weighting):
        def weights(self, step):
            return (1.0 + SHIFT) * torch.ones_like(step.losses), step.state

    @dataclass(frozen=True)
    class Net(NetworkMethod):
        model: str = "wide"

        def tasks(self, dataset):
            return target_tasks(dataset)

        def weighting(self, dataset):
            return Weighting()

    @dataclass(frozen=True)
    class Ruled(Net):
        model: str = "mlp"

        def uses(self):
            return (*super().uses(), Use("weighting", "heavy"))

        def weighting(self, dataset):
            return load().build(Use("weighting", "heavy"))

    @dataclass(frozen=True)
    class Wrapping(Method):
        base: str = "single-task"
        options: dict[str, Any] = field(default_factory=dict)

        def uses(self):
            return (Use("method", self.base, self.options),)

        def train(self, work):
            return load().build(self.uses()[0]).train(work)

    @dataclass(frozen=True)
    class Secret(Method):
        kind: str = "method"
        name: str = "single-task"

        def train(self, work):
            return load().find(self.kind, self.name).build({}).train(work)

    @dataclass(frozen=True)
    class Loop(Wrapping):
        base: str = "loop"

    @dataclass(frozen=True)
    class Deep(Wrapping):
        depth: int = 0

        def uses(self):
            return (Use("method", "deep", {"depth": self.depth + 1}),)

    def shifted(prediction, target, protected):
        return np.abs(prediction - target).mean(-1) + SHIFT
"""


@pytest.fixture
def foreign(install):
    """A stranger's distribution of three modules; called with another shift, its helper differs."""
    folder = install("foreign", {"foreign": PLUGIN, "foreign_parts": PARTS})

    edits = itertools.count(1)

    def helper(shift: float) -> None:
        path = folder / "foreign_helper.py"
        path.write_text(f"SHIFT = {shift}\n")
        # Python tells an edit from its bytecode by whole seconds and size alone.
        second = int(time.time()) + next(edits)
        os.utime(path, (second, second))
        for name in ("foreign_helper", "foreign_parts", "foreign"):
            sys.modules.pop(name, None)
        importlib.invalidate_caches()

    helper(1.0)
    yield helper
    sys.modules.pop("foreign_helper", None)


def study(*methods: object, **more: object) -> Study:
    base = {"datasets": ["synthetic"], "baseline": None, "seeds": 1, "metrics": ["rmse"]}
    return Study(methods=methods, **{**base, "training": {"epochs": 1}, **more})


def run(out: Path, *methods: object, **more: object):
    return fairbench.run(study(*methods, **more), out=out, executor="serial")


def rmse(result) -> float:
    table = result.metrics()
    return float(table[table["part"] == "test"]["rmse"].iloc[0])


# Code


@pytest.mark.parametrize(
    ("method", "options"),
    [
        ("plain", {}),
        ("ruled", {}),
        ("wrapping", {"base": "plain"}),
        ("single-task", {"model": "wide"}),
        ("weighted", {"weighting": "foreign:heavy"}),
        ("foreign:heavy", {}),
    ],
)
def test_a_helper_edited_is_another_run(foreign, tmp_path, monkeypatch, method, options):
    """Beside a stranger's method, model or weighting, or a method inside another."""
    asked = {"name": method, "options": options}
    monkeypatch.chdir(tmp_path)
    before = fairbench.run(study(asked), executor="serial")
    foreign(0.0)
    with pytest.raises(RunFolderError, match=r"other plugin code \(foreign\)") as caught:
        run(before.path, asked)
    assert "nothing in this folder was changed" in caught.value.hint
    after = fairbench.run(study(asked), executor="serial")
    assert after.path != before.path
    if method != "single-task":  # with a model whose numbers the helper has no part in
        assert rmse(after) != rmse(before)
    foreign(1.0)
    again = fairbench.run(study(asked), executor="serial")
    assert (again.path, rmse(again)) == (before.path, rmse(before))


def test_models_weightings_and_wrapped_methods_are_components(foreign, tmp_path):
    wrapped = {"name": "wrapping", "options": {"base": "ruled"}}
    manifest = run(tmp_path / "run", wrapped, "net", "pcgrad").manifest
    named = {(c["kind"], c["name"]) for c in manifest["components"]}
    assert named >= {
        ("method", "wrapping"), ("method", "ruled"), ("method", "net"), ("method", "weighted"),
        ("model", "mlp"), ("model", "wide"), ("weighting", "heavy"), ("weighting", "pcgrad"),
        ("protocol", "honest"), ("dataset", "synthetic"), ("metric", "rmse"),
    }  # fmt: skip
    assert {*manifest["code"]["trained"]} == {
        "fairbench", "fairbench_baselines", "fairbench_datasets", "fairbench_paper",
        "fairbench_weightings", "foreign",
    }  # fmt: skip
    assert {*manifest["code"]["shown"]} == {"fairbench.analyze", "fairbench_metrics"}


def test_an_edited_metric_gives_new_tables_of_the_same_predictions(foreign, tmp_path):
    more = {"metrics": ["rmse", "shifted"], "error": "shifted"}
    first = run(tmp_path / "run", "ridge", **more)
    chunks = {p: p.stat().st_mtime_ns for p in first.path.glob("chunks/*")}
    foreign(0.0)
    second = run(tmp_path / "run", "ridge", **more)
    assert {p: p.stat().st_mtime_ns for p in first.path.glob("chunks/*")} == chunks
    one, two = (each.metrics()["shifted"].to_numpy() for each in (first, second))
    assert one - two == pytest.approx(1.0)
    assert first.manifest["code"]["shown"] != second.manifest["code"]["shown"]
    assert first.manifest["sittings"] == second.manifest["sittings"]


def test_an_edited_core_is_another_run(tmp_path, monkeypatch):
    from fairbench import provenance
    from fairbench.plugins import Code

    run(tmp_path / "run", "ridge")
    monkeypatch.setattr(provenance, "core_code", lambda: Code("fairbench", "", "other"))
    with pytest.raises(RunFolderError, match=r"other plugin code \(fairbench\)"):
        run(tmp_path / "run", "ridge")


def test_a_strangers_executor_is_part_of_the_run(tmp_path, monkeypatch):
    """Those of fairbench are not: any of them may go on with a run."""
    (tmp_path / "elsewhere.py").write_text(
        "from fairbench.execute.serial import Serial\nclass Elsewhere(Serial): pass\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    executor = importlib.import_module("elsewhere").Elsewhere()
    found = fairbench.run(study("ridge"), out=tmp_path / "run", executor=executor)
    assert "elsewhere" in found.manifest["code"]["trained"]
    with pytest.raises(RunFolderError, match=r"other plugin code \(elsewhere\)"):
        run(tmp_path / "run", "ridge")


def test_a_worker_with_other_code_trains_nothing(foreign, tmp_path, monkeypatch):
    """Here both are this process, which forgets what it has loaded when the helper is edited."""
    from fairbench.execute import job

    real = job._train

    def late(shared, asked):
        job._vouched.clear()
        foreign(0.0)
        return real(shared, asked)

    monkeypatch.setattr(job, "_train", late)
    (reason,) = run(tmp_path / "run", "plain").failures()["reason"]
    assert "this worker has other code of fairbench or of method 'plain'" in reason


def test_an_edit_during_a_run_is_nothing_to_who_has_loaded_the_code(foreign, tmp_path, monkeypatch):
    from fairbench.execute import job

    real = job._train

    def late(shared, asked):
        helper = next(tmp_path.glob("site/foreign_helper.py"))
        helper.write_text("SHIFT = 0.0\n")
        return real(shared, asked)

    monkeypatch.setattr(job, "_train", late)
    assert run(tmp_path / "run", "plain").failures().empty


# Uses


@pytest.mark.parametrize("base", ["single-task", "wrapping"])
def test_a_wrapped_network_has_its_kernel_among_the_versions(foreign, tmp_path, base):
    """One wrapped directly, and one in a wrapper of its own."""
    asked = {"name": "wrapping", "options": {"base": base}}
    compiled = run(tmp_path / "run", asked)
    assert compiled.manifest["versions"]["kernel"] == build.describe()
    with pytest.raises(RunFolderError, match="different study"):
        run(tmp_path / "run", asked, training={"epochs": 1, "kernel": "torch"})


def test_a_run_begun_with_one_kernel_does_not_go_on_with_another(foreign, tmp_path, monkeypatch):
    run(tmp_path / "run", "wrapping")
    monkeypatch.setattr("fairbench.kernel.chosen", lambda *_: "torch")
    with pytest.raises(RunFolderError, match=r"other versions of .* \(kernel\)"):
        run(tmp_path / "run", "wrapping")


def test_what_is_no_network_has_no_kernel(foreign, tmp_path):
    asked = {"name": "wrapping", "options": {"base": "ridge"}}
    assert "kernel" not in run(tmp_path / "run", asked).manifest["versions"]


@pytest.mark.parametrize(
    ("method", "chain"),
    [("loop", "loop → loop"), ("deep", "deep → deep → deep → deep → deep → deep → …")],
)
def test_a_method_made_of_itself_is_refused(foreign, method, chain):
    with pytest.raises(PluginError, match="is made of itself") as caught:
        plan(study(method), load())
    assert caught.value.what == f"method {method!r} is made of itself: {chain}"


def test_the_same_component_twice_with_other_options_is_no_circle(foreign):
    inner = {"base": "wrapping", "options": {"base": "ridge"}}
    resolved = plan(study({"name": "wrapping", "options": inner}), load())
    (arm,) = resolved.arms.values()
    assert [p.component.name for p in arm.parts] == ["wrapping", "wrapping", "ridge"]


def test_what_a_method_uses_has_to_exist(foreign):
    asked = {"name": "wrapping", "options": {"base": "single-taks"}}
    with pytest.raises(StudyError, match="unknown method 'single-taks'"):
        plan(study(asked), load())


def test_what_is_built_without_being_declared_fails(foreign, tmp_path):
    failed = run(tmp_path / "run", "secret", "ridge")
    (reason,) = failed.failures()["reason"]
    assert "method 'secret' builds method 'single-task' without declaring it" in reason
    assert set(failed.trials()["status"]) == {"ok", "failed"}


# One study


def test_the_order_of_methods_and_datasets_is_no_part_of_a_study(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    data = ["synthetic", {"name": "synthetic", "label": "again"}]
    one = fairbench.run(study("ridge", "mean", datasets=data), executor="serial")
    other = fairbench.run(study("mean", "ridge", datasets=data[::-1]), executor="serial")
    assert one.path == other.path
    assert len(other.manifest["sittings"]) == 1
    assert list(other.manifest["methods"]["again"]) == ["mean", "ridge"]  # as asked for
    for table in ("trials", "metrics", "groups", "fronts"):
        before, after = getattr(one, table)(), getattr(other, table)()
        assert before.equals(after[before.columns])


def test_labels_are_part_of_a_study():
    named = study("ridge", "mean")
    labelled = study({"name": "ridge", "label": "other"}, "mean")
    assert named.digest() == study("mean", "ridge").digest()
    assert named.digest() != labelled.digest()
    assert named.digest() != study("ridge").digest()


def test_the_order_of_metrics_is_no_part_of_a_study(tmp_path):
    run(tmp_path / "run", "ridge", metrics=["rmse", "mae"])
    again = run(tmp_path / "run", "ridge", metrics=["mae", "rmse"])
    assert len(again.manifest["sittings"]) == 1
