from __future__ import annotations

import sys
import types
from dataclasses import dataclass, field
from typing import Annotated, ClassVar, Literal

import pytest
from annotated_types import Ge, Gt, Interval, Le, MinLen

from fairbench.errors import PluginError, StudyError
from fairbench.method import Method, OneByOne, Tradeoff
from fairbench.plugins import REQUIRED, Component, MethodDescription, MetricDescription


@dataclass(frozen=True)
class Inner:
    width: Annotated[int, Ge(1)] = 4


@dataclass(frozen=True)
class Based(OneByOne):
    """A base.

    Parameters
    ----------
    rate
        How fast.
    """

    rate: Annotated[float, Gt(0), Le(5)] = 0.5

    def fit(self, trial, work):
        raise NotImplementedError


@dataclass(frozen=True)
class Toy(Based):
    """A method of many options.

    Parameters
    ----------
    hidden : tuple of int
        Widths of the layers,
        first to last.
    kind, flag
        Two at once.

    Notes
    -----
    limit
        Is no parameter here.
    """

    tradeoff: ClassVar[Tradeoff] = Tradeoff("alpha", (0.1, 1.0), 0.0, 5.0)

    hidden: Annotated[tuple[int, ...], MinLen(1)] = (64, 32)
    kind: Literal["mlp", "linear"] = "mlp"
    flag: bool = False
    limit: Annotated[float, Ge(0)] | None = None
    share: Annotated[float, Interval(ge=0, lt=1)] = 0.25
    inner: Inner = field(default_factory=Inner)
    title: str = ""
    shift: float = 0.0
    cached: int = field(default=0, init=False)

    def __post_init__(self):
        if self.flag and self.limit is not None:
            raise ValueError("flag and limit exclude each other")


@dataclass(frozen=True)
class Needy(Based):
    must: int = field(kw_only=True)


class Abstract(Method):
    pass


class Unrelated:
    pass


def function(prediction, target, protected):
    return 0.0


@pytest.fixture
def component(monkeypatch):
    module = types.ModuleType("toy_targets")
    for thing in (Toy, Needy, Abstract, Unrelated, function):
        setattr(module, thing.__name__, thing)
    monkeypatch.setitem(sys.modules, "toy_targets", module)

    def make(target: str = "Toy", **more) -> Component:
        kind = MetricDescription if "role" in more else MethodDescription
        description = kind(name="toy", summary="Toy", target=f"toy_targets:{target}", **more)
        return Component(description, "plugin", "Some.Dist", "1.0")

    return make


def test_options_are_described(component):
    rate, hidden, kind, flag, limit, share, inner, title, _ = component().options()
    assert (rate.name, rate.type, rate.default, rate.doc) == (
        "rate",
        "float, > 0, ≤ 5",
        0.5,
        "How fast.",
    )
    assert hidden.type == "tuple[int, ...], at least 1 of them"
    assert hidden.doc == "Widths of the layers, first to last."
    assert kind.type == "'mlp' | 'linear'"
    assert (kind.doc, flag.doc) == ("Two at once.", "Two at once.")
    assert limit.type == "float, ≥ 0 | none"
    assert limit.doc == ""
    assert share.type == "float, ≥ 0, < 1"
    assert inner.default == Inner()
    assert title.type == "str"


def test_a_function_has_no_options_and_is_itself(component):
    metric = component("function", role="error")
    assert metric.options() == ()
    assert metric.build({}) is function
    with pytest.raises(StudyError, match="metric 'toy' has no option 'q'"):
        metric.build({"q": 1})


def test_build_takes_values_of_their_types(component):
    given = {"rate": 2, "hidden": [8, 4], "kind": "linear", "limit": None, "inner": {"width": 9}}
    assert component().build(given) == Toy(2.0, (8, 4), "linear", inner=Inner(9))


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("rate", "0.25", 0.25),
        ("hidden", "16, 8", (16, 8)),
        ("hidden", "16", (16,)),
        ("flag", "true", True),
        ("flag", "no", False),
        ("limit", "none", None),
        ("limit", "1.5", 1.5),
        ("title", "none", "none"),
        ("title", "a,b", "a,b"),
    ],
)
def test_build_takes_text_as_flags_give_it(component, name, text, value):
    built = component().build({name: text})
    assert getattr(built, name) == value
    assert type(getattr(built, name)) is type(value)


@pytest.mark.parametrize(
    ("name", "value", "why", "allowed"),
    [
        ("rate", 0, "greater than 0", "float, > 0, ≤ 5"),
        ("rate", 5.01, "less than or equal to 5", "float, > 0, ≤ 5"),
        ("rate", "fast", "valid number", "float"),
        ("shift", "nan", "is NaN", "a finite number"),
        ("shift", float("inf"), "is infinite", "a finite number"),
        ("shift", True, "a value is needed", "float"),
        ("hidden", [], "at least 1", "tuple[int, ...]"),
        ("hidden", "8,x", "", "tuple[int, ...]"),
        ("kind", "cnn", "'mlp' or 'linear'", "'mlp' | 'linear'"),
        ("limit", -1, "greater than or equal to 0", "float, ≥ 0 | none"),
        ("flag", "perhaps", "boolean", "bool"),
        ("inner", {"width": 0}, "greater than or equal to 1", "Inner"),
    ],
)
def test_bad_values_are_named_with_what_is_allowed(component, name, value, why, allowed):
    with pytest.raises(StudyError) as caught:
        component().build({name: value})
    message = str(caught.value)
    assert f"option {name!r} of method 'toy'" in message
    assert why in message
    assert allowed in message
    shown = "true" if value is True else repr(value)
    assert name == "inner" or "NaN" in message or shown in message


def test_unknown_option_suggests_near_names(component):
    with pytest.raises(StudyError, match=r"no option 'hiden'\n.*did you mean 'hidden'"):
        component().build({"hiden": 3})


def test_options_that_are_set_inside_cannot_be_given(component):
    with pytest.raises(StudyError, match="no option 'cached'"):
        component().build({"cached": 3})


def test_options_that_exclude_each_other(component):
    with pytest.raises(StudyError, match="method 'toy': flag and limit exclude each other"):
        component().build({"flag": True, "limit": 1})


def test_required_options(component):
    needy = component("Needy")
    assert [o.default for o in needy.options()] == [0.5, REQUIRED]
    with pytest.raises(StudyError, match="needs its option 'must'"):
        needy.build({})
    assert needy.build({"must": 1}).must == 1


@pytest.mark.parametrize(
    ("target", "what"),
    [
        ("Absent", "cannot be imported: AttributeError"),
        ("Toy.absent", "cannot be imported: AttributeError"),
        ("Unrelated", "is no subclass of fairbench.method.Method"),
        ("function", "is no subclass of fairbench.method.Method"),
    ],
)
def test_bad_targets_are_named_with_their_plugin(component, target, what):
    with pytest.raises(PluginError) as caught:
        component(target).load()
    assert f"the target 'toy_targets:{target}' of method 'toy' {what}" in str(caught.value)
    assert "plugin 'plugin' of Some.Dist 1.0" in str(caught.value)


def test_missing_module(component):
    gone = Component(
        MethodDescription(name="toy", summary="Toy", target="not_there:Toy"), "p", "d", "1"
    )
    with pytest.raises(PluginError, match="ModuleNotFoundError"):
        gone.load()


def test_a_target_that_cannot_be_instantiated(component):
    with pytest.raises(PluginError, match="method 'toy' cannot be instantiated: TypeError"):
        component("Abstract").build({})


def test_annotations_that_only_a_type_checker_sees(component):
    @dataclass(frozen=True)
    class Hidden(Based):
        path: Nowhere = None  # noqa: F821

    sys.modules["toy_targets"].Hidden = Hidden
    with pytest.raises(PluginError, match="'Nowhere' is not defined"):
        component("Hidden").options()
