"""Methods by name: short forms, their labels and options, and which one is the baseline."""

from __future__ import annotations

import re

import pytest

from fairbench.errors import StudyError
from fairbench.plugins import MethodDescription, WeightingDescription, added, hookimpl, load
from fairbench.study import MethodSpec, Study, plan
from fairbench.study.methods import methods_of

RULES = [component.name for component in load().components("weighting")]


def found(*methods: object, baseline: str | None = None):
    return methods_of(Study(methods=methods, datasets=["synthetic"], baseline=baseline), load())


def planned(*methods: object, baseline: str | None = None):
    study = {"methods": methods, "datasets": ["synthetic"], "baseline": baseline, "seeds": 1}
    return plan(Study(**study), load())


def spec(weighting: str, label: str = "", **options: object) -> MethodSpec:
    return MethodSpec("weighted", label or weighting, options={"weighting": weighting, **options})


@pytest.mark.parametrize("name", RULES)
def test_every_weighting_is_a_method(name):
    options = {"loss_weights": "1,0.5"} if name == "static" else {}
    (arm,) = planned({"name": name, "options": options, "tradeoff": "1"}).arms.values()
    assert (arm.method, arm.component.name) == (name, "weighted")
    kinds = {(part.component.kind, part.component.name) for part in arm.parts}
    assert kinds == {("method", "weighted"), ("model", "mlp"), ("weighting", name)}


def test_the_short_form_and_the_long_one_are_one_study():
    short = {"name": "cagrad", "options": {"c": 0.2, "architecture": {"hidden": [4]}}}
    long = {
        "name": "weighted",
        "options": {
            "weighting": "cagrad",
            "weighting_options": {"c": 0.2},
            "architecture": {"hidden": [4]},
        },
    }
    one, other = (planned(each).study for each in (short, long))
    assert one == other
    assert one.digest() == other.digest()
    assert one.title == "cagrad-on-synthetic"


def test_options_of_the_method_and_of_the_weighting_stand_side_by_side():
    (full,) = found({"name": "fairgrad", "options": {"alpha": 1.5, "model": "mlp"}}).specs
    assert full == spec("fairgrad", model="mlp", weighting_options={"alpha": 1.5})
    nested = {"weighting_options": {"alpha": 3.0}}
    assert found({"name": "fairgrad", "options": nested}).specs == (spec("fairgrad", **nested),)


def test_a_label_of_the_users_own_stays():
    two = [{"name": "stch", "label": f"mu {mu}", "options": {"mu": mu}} for mu in (0.1, 1)]
    assert [arm for _, arm in planned(*two).arms] == ["mu 0.1", "mu 1"]
    with pytest.raises(StudyError, match="stands twice"):
        planned("stch", {"name": "weighted", "options": {"weighting": "stch"}})


@pytest.mark.parametrize(
    ("method", "said"),
    [
        ("nash-mlt", "unknown method 'nash-mlt'.*did you mean 'nash-mtl'"),
        ("static-alhpa", "unknown method 'static-alhpa'.*did you mean 'static-alpha'"),
        ({"name": "cagrad", "options": {"cc": 1}}, "method 'cagrad' has no option 'cc'.*'c'"),
        ({"name": "mgda", "options": {"weighting": "cagrad"}}, "has no option 'weighting'"),
        ({"name": "cagrad", "options": {"c": 2}}, "option 'c' of weighting 'cagrad' is 2"),
        ({"name": "cagrad", "options": {"c": 1, "weighting_options": 3}}, "'weighting_options'"),
        ("weighted", "method 'weighted' needs its option 'weighting'"),
        ({"name": "weighted", "options": {"weighting": "ridge"}}, "unknown weighting 'ridge'"),
        ("static", "'static' needs its option 'loss_weights'.*--set static.loss_weights=VALUE"),
        (
            {"name": "weighted", "options": {"weighting": "static"}},
            "--set weighted.weighting_options.loss_weights=VALUE",
        ),
    ],
)
def test_what_is_refused(method, said):
    with pytest.raises(StudyError) as told:
        planned(method)
    assert re.search(said, str(told.value), re.DOTALL), str(told.value)


def test_the_baseline_is_added_once():
    assert [s.title for s, _ in found("ridge", baseline="single-task").all] == [
        "single-task",
        "ridge",
    ]
    both = found("ridge", "single-task", baseline="single-task")
    assert (both.added, both.baseline) == (None, "single-task")
    none = found("ridge")
    assert (none.added, none.baseline, none.specs) == (None, None, (MethodSpec("ridge"),))


def test_a_weighting_can_be_the_baseline():
    added_one = found("nash-mtl", baseline="equal")
    assert [s.title for s, _ in added_one.all] == ["equal", "nash-mtl"]
    labelled = found("mgda", {"name": "equal", "label": "plain sum"}, baseline="equal")
    assert (labelled.added, labelled.baseline) == (None, "plain sum")
    assert planned("mgda", "equal", baseline="equal").baseline == "equal"


def test_a_method_keeps_its_name_beside_a_weighting_of_the_same():
    class Toy:
        @hookimpl
        def fairbench_methods(self):
            yield MethodDescription(
                name="mgda", summary="Own", target="fairbench_baselines.anchors:Ridge"
            )

        @hookimpl
        def fairbench_weightings(self):
            yield WeightingDescription(
                name="ridge", summary="Own", target="fairbench_weightings.equal:Equal"
            )

    with added(Toy()) as registry:
        study = Study(methods=["mgda", "ridge"], datasets=["synthetic"], baseline=None)
        assert [c.qualified for _, c in methods_of(study, registry).all] == [
            "added:mgda",
            "fairbench-mtl:ridge",
        ]
        named = {"name": "weighted", "options": {"weighting": "ridge"}}
        study = Study(methods=[named, "added:ridge"], datasets=["synthetic"], baseline=None)
        assert methods_of(study, registry).specs == (spec("ridge"), spec("added:ridge"))
