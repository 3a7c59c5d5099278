"""docs/plugins.md names every hook with its signature, and its example works."""

from __future__ import annotations

import inspect
import re
import sys
from pathlib import Path

import pytest

from fairbench.data import open_dataset
from fairbench.dataset import DatasetSpec
from fairbench.plugins import conformance, hookspecs, load
from fairbench.plugins.hookspecs import OBSERVERS, OFFERS
from tests.train.conftest import make_work

PAGE = (Path(__file__).parents[2] / "docs" / "plugins.md").read_text()
HOOKS = {name: f for name, f in vars(hookspecs).items() if name.startswith("fairbench_")}


def test_every_hook_is_offered_or_observes():
    assert set(HOOKS) == {*OFFERS, *OBSERVERS}


@pytest.mark.parametrize("hook", HOOKS)
def test_every_hook_is_documented_with_its_signature(hook):
    signature = f"{hook}({', '.join(inspect.signature(HOOKS[hook]).parameters)})"
    assert f"| `{signature}` |" in PAGE
    assert HOOKS[hook].__doc__


def test_no_hook_is_documented_that_does_not_exist():
    assert set(re.findall(r"\bfairbench_\w+(?=\()", PAGE)) == set(HOOKS)


@pytest.mark.parametrize("hook", OFFERS)
def test_every_description_is_documented(hook):
    assert f"yields `{OFFERS[hook].__name__}`" in PAGE


def test_every_conformance_class_is_documented():
    documented = set(re.findall(r"^\| `(\w+Conformance)` \|", PAGE, re.M))
    assert documented == set(conformance.__all__) - {"Conformance"}


def block(starts_with: str) -> str:
    blocks = re.findall(r"```python\n(.*?)```", PAGE, re.S)
    (found,) = [each for each in blocks if each.startswith(starts_with)]
    return found


@pytest.fixture
def shrink(install):
    folder = install(
        "fairbench-shrink", {"shrink": block("from fairbench.plugins import MethodDescription")}
    )
    (folder / "shrink_parts.py").write_text(block("from dataclasses import dataclass\nfrom typing"))
    yield folder
    sys.modules.pop("shrink_parts", None)


def test_the_example_conforms(shrink):
    assert [p for p in load().problems if p.distribution == "fairbench-shrink"] == []
    scope: dict[str, type] = {"__name__": "example"}
    exec(block("from fairbench.plugins.conformance"), scope)
    for kit in (scope["TestShrink"], scope["TestMedianGap"]):
        tests = [name for name in dir(kit) if name.startswith("test_")]
        assert len(tests) >= 5
        for name in tests:
            getattr(kit(), name)()


def test_the_example_works_without_being_installed(shrink, monkeypatch):
    monkeypatch.setenv("FAIRBENCH_DISABLE_PLUGINS", "*")
    scope: dict[str, object] = {}
    exec(block("import shrink"), scope)
    assert scope["method"].penalty == 2.0


@pytest.fixture
def mean_gap():
    scope: dict[str, type] = {"__name__": "example"}
    exec(block("from dataclasses import dataclass\n\nimport torch"), scope)
    return scope["MeanGap"]


def test_the_network_conforms(mean_gap):
    class TestMeanGap(conformance.MethodConformance):
        component = staticmethod(mean_gap)

    for name in [name for name in dir(TestMeanGap) if name.startswith("test_")]:
        getattr(TestMeanGap(), name)()


def test_the_network_closes_the_gap(mean_gap):
    boston = open_dataset(DatasetSpec("boston"))
    work = make_work((0.0, 30.0, 300.0), boston, train=300)
    groups = work.fold.protected("test").groups
    trained = mean_gap().train(work)
    gaps = [
        abs(p.test[groups == 0].mean() - p.test[groups == 1].mean()) for p in trained.predictions
    ]
    assert trained.notes == []
    assert gaps[2] < 0.5 * gaps[1] < 0.25 * gaps[0]


def test_the_method_around_another_conforms():
    scope: dict[str, type] = {"__name__": "example"}
    text = block("from dataclasses import dataclass\n\nimport numpy as np\n\nfrom fairbench.method")
    exec(compile(text, "plugins.md", "exec", dont_inherit=True), scope)

    class TestLevel(conformance.MethodConformance):
        component = staticmethod(scope["Level"])
        plain = "ridge"

    for name in [name for name in dir(TestLevel) if name.startswith("test_")]:
        getattr(TestLevel(), name)()


def test_the_method_made_of_another_conforms():
    scope: dict[str, type] = {"__name__": "example"}
    text = block("from dataclasses import dataclass, field, replace")
    exec(compile(text, "plugins.md", "exec", dont_inherit=True), scope)
    rounded = scope["Rounded"](base="ridge")

    class TestRounded(conformance.MethodConformance):
        component = staticmethod(lambda: rounded)
        scales = False  # whole numbers of one unit are none of another

    for name in [name for name in dir(TestRounded) if name.startswith("test_")]:
        getattr(TestRounded(), name)()
    assert [use.name for use in rounded.uses()] == ["ridge"]
