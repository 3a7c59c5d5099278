from __future__ import annotations

import pickle
import sys
from textwrap import dedent

import numpy as np
import pytest

from fairbench.errors import PluginError, StudyError
from fairbench.plugins import REQUIRED, MetricDescription, added, hookimpl, load

GOOD = dedent("""
    from fairbench.plugins import MetricDescription, hookimpl

    @hookimpl
    def fairbench_metrics():
        yield MetricDescription(
            name="median-error", summary="Median of absolute errors",
            target="stranger:median_error", role="error", unit="target",
        )

    def median_error(prediction, target, protected):
        import numpy as np
        return np.median(np.abs(prediction - target), axis=-1)
""")
BROKEN = """raise RuntimeError("out of order")"""


def problems(distribution: str) -> list[str]:
    return [p.what for p in load().problems if p.distribution == distribution]


def plugin(distribution: str):
    (found,) = [p for p in load().plugins if p.distribution == distribution]
    return found


class TestStranger:
    def test_is_listed_and_used(self, install):
        install("far-away", {"stranger": GOOD})
        found = load().find("metric", "median-error")
        assert (found.plugin, found.distribution, found.version) == ("stranger", "far-away", "1.0")
        assert found.build({})(np.array([1.0, 5.0, 3.0]), np.zeros(3), None) == 3.0
        assert plugin("far-away").status == "loaded"
        assert plugin("far-away").counts == {"metric": 1}
        assert found in load().components("metric")

    def test_is_not_imported_before_use(self, install):
        lazy = GOOD.replace("stranger:median_error", "stranger_target:median_error")
        install("far-away", {"stranger": lazy})
        load().components("metric")
        assert "stranger_target" not in sys.modules

    def test_bare_and_qualified_names_find_it(self, install):
        install("Far.Away", {"stranger": GOOD})
        bare = load().find("metric", "median-error")
        assert bare.qualified == "far-away:median-error"
        for name in ("far-away:median-error", "Far_Away:median-error", "FAR.AWAY:median-error"):
            assert load().find("metric", name) == bare

    def test_may_print_without_garbling_standard_output(self, install, capsys):
        install("far-away", {"stranger": "print('hello from stranger')" + GOOD})
        assert load().find("metric", "median-error")
        out, err = capsys.readouterr()
        assert out == ""
        assert "hello from stranger" in err

    def test_nor_may_its_c_code_or_its_children(self, install, capfd):
        loud = """
        import ctypes, os, subprocess
        os.write(1, b"from the descriptor")
        subprocess.run(["echo", "from a child"])
        ctypes.CDLL(None).puts(b"from C")
        """
        install("far-away", {"stranger": dedent(loud) + GOOD})
        assert load().find("metric", "median-error")
        out, err = capfd.readouterr()
        assert out == ""
        assert all(f"from {who}" in err for who in ("the descriptor", "a child", "C"))

    def test_component_survives_pickling(self, install):
        install("far-away", {"stranger": GOOD})
        found = load().find("metric", "median-error")
        assert pickle.loads(pickle.dumps(found)) == found


WRONG = {
    "import error": ("import no_such_module_at_all", "cannot be imported: ModuleNotFoundError"),
    "syntax error": ("def", "cannot be imported: SyntaxError"),
    "exits": ("raise SystemExit(3)", "cannot be imported: SystemExit"),
    "base exception": ("raise BaseException('odd')", "cannot be imported: BaseException: odd"),
    "cancelled": ("raise __import__('asyncio').CancelledError", "imported: CancelledError"),
    "unspeakable": (
        """
        class Unspeakable(BaseException):
            def __str__(self): raise self
        raise Unspeakable
        """,
        "imported: Unspeakable: (its text raises Unspeakable)",
    ),
    "base exception in a hook": (
        GOOD.replace("yield", "raise GeneratorExit; yield"),
        "fairbench_metrics raises GeneratorExit",
    ),
    "no module": (None, "cannot be imported: ModuleNotFoundError"),
    "no hook": ("x = 1", "it implements no hook"),
    "misspelt hook": (
        """
        from fairbench.plugins import hookimpl
        @hookimpl
        def fairbench_metriks(): return []
        """,
        "'fairbench_metriks' implements no hook of fairbench",
    ),
    "misspelt hook beside a good one": (
        GOOD + "\n@hookimpl\ndef fairbench_method(): return []",
        "'fairbench_method' implements no hook",
    ),
    "unmarked hook": (
        GOOD + "\ndef fairbench_methods(): return []",
        "'fairbench_methods' is not marked as a hook implementation",
    ),
    "other arguments": (
        """
        from fairbench.plugins import hookimpl
        @hookimpl
        def fairbench_run_started(folder): pass
        """,
        "'folder'",
    ),
    "hook raises": (GOOD.replace("yield", "1 / 0; yield"), "raises ZeroDivisionError"),
    "hook raises late": (
        GOOD.replace("def median", "    raise OSError('late')\n\ndef median", 1),
        "fairbench_metrics raises OSError: late",
    ),
    "one description instead of several": (
        GOOD.replace("yield", "return"),
        "fairbench_metrics returns MetricDescription(",
    ),
    "nothing returned": (GOOD.replace("yield", "_ ="), "fairbench_metrics returns nothing"),
    "no description": (GOOD.replace("yield", "yield 3;"), "fairbench_metrics yields 3"),
    "text": (GOOD.replace("yield", "return 'abc';"), "fairbench_metrics yields 'a'"),
    "wrong kind": (
        GOOD.replace("fairbench_metrics", "fairbench_methods"),
        "fairbench_methods yields MetricDescription(",
    ),
    "bad name": (GOOD.replace("median-error", "Median Error"), "'Median Error' has a bad name"),
    "name of no text": (GOOD.replace('"median-error"', "7"), "name=7"),
    "malformed target": (GOOD.replace("stranger:", "stranger."), "target='stranger.median_error'"),
    "other contract": (GOOD.replace("role=", "api=2, role="), "version 2 of the plugin contract"),
    "unknown role": (GOOD.replace('"error"', '"errors"'), "role='errors'"),
    "wrong takes": (GOOD.replace("role=", "takes='binary', role="), "takes='binary'"),
    "no summary": (GOOD.replace("Median of absolute errors", ""), "summary=''"),
    "escape sequence": (
        GOOD.replace("role=", r'warning="\x1b[2J", role='),
        "control characters in its warning",
    ),
    "twice": (
        GOOD.replace("yield", "yield from 2 * [").replace(
            'unit="target",\n    )', 'unit="target",\n    )]'
        ),
        "two metrics named 'median-error'",
    ),
}


class TestBrokenPlugin:
    @pytest.mark.parametrize("wrong", WRONG)
    def test_is_reported_by_name_and_disables_only_itself(self, install, wrong):
        source, what = WRONG[wrong]
        install("far-away", {"stranger": source})
        install("nearby", {"neighbour": GOOD.replace("median-error", "other")})
        (problem,) = [p for p in load().problems if p.distribution == "far-away"]
        assert what in problem.what
        assert problem.plugin == "stranger"
        assert problem.hint
        assert "\n" not in str(problem)
        assert plugin("far-away").status == "broken"
        assert load().find("metric", "other").distribution == "nearby"
        assert load().find("protocol", "honest").distribution == "fairbench-mtl"
        with pytest.raises(StudyError, match="far-away:stranger is broken"):
            load().find("metric", "median-error")

    def test_near_names_of_a_misspelt_hook(self, install):
        install("far-away", {"stranger": WRONG["misspelt hook"][0]})
        (problem,) = [p for p in load().problems if p.distribution == "far-away"]
        assert "did you mean 'fairbench_metrics'" in problem.hint

    def test_optional_hooks_of_another_version_are_no_problem(self, install):
        later = "\n@hookimpl(optionalhook=True)\ndef fairbench_later(): return []"
        install("far-away", {"stranger": GOOD + later})
        assert problems("far-away") == []

    def test_unreadable_metadata_hides_no_other_plugin(self, install):
        folder = install("far-away", {"stranger": GOOD})
        info = folder / "garbled-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text("Name: garbled\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text("[fairbench]\nno equals sign here\n")
        assert load().find("metric", "median-error")
        assert load().find("protocol", "honest")

    def test_strict_fails_listing_all(self, install):
        install("far-away", {"stranger": BROKEN})
        install("nearby", {"neighbour": "x = 1"})
        with pytest.raises(PluginError) as caught:
            load(strict=True)
        assert "out of order" in str(caught.value)
        assert "'neighbour' of nearby 1.0: it implements no hook" in str(caught.value)

    def test_built_in_plugins_have_no_problem(self):
        assert problems("fairbench-mtl") == []

    def test_every_built_in_component_can_be_shown_and_built(self):
        for built_in in [p for p in load().plugins if p.distribution == "fairbench-mtl"]:
            for component in built_in.components:
                required = [o.name for o in component.options() if o.default is REQUIRED]
                if not required:
                    assert component.build({}) is not None
                assert component.provenance()["sha256"], component.qualified


class TestClash:
    @pytest.fixture(autouse=True)
    def _two(self, install):
        install("far-away", {"stranger": GOOD})
        install("nearby", {"neighbour": GOOD.replace("stranger:", "neighbour:")})

    def test_is_no_problem_until_the_bare_name_is_used(self):
        assert problems("far-away") == problems("nearby") == []
        with pytest.raises(StudyError) as caught:
            load().find("metric", "median-error")
        assert "2 plugins offer metric 'median-error'" in str(caught.value)
        assert "far-away:median-error or nearby:median-error" in str(caught.value)

    def test_qualified_name_picks_one(self):
        assert load().find("metric", "nearby:median-error").distribution == "nearby"
        assert load().find("metric", "far-away:median-error").distribution == "far-away"

    def test_unknown_distribution_suggests_qualified_names(self):
        with pytest.raises(StudyError, match="did you mean 'nearby:median-error'"):
            load().find("metric", "nearbi:median-error")

    def test_within_one_distribution_is_a_problem(self, install):
        install("twofold", {"first": GOOD, "second": GOOD})
        assert problems("twofold") == [
            "another plugin of twofold already offers metric 'median-error'"
        ]
        statuses = {p.name: p.status for p in load().plugins if p.distribution == "twofold"}
        assert statuses == {"first": "loaded", "second": "broken"}


class TestSwitchedOff:
    @pytest.mark.parametrize("value", ["*", "stranger", "far-away", "Far_Away", "x, far-away ,y"])
    def test_third_party_plugin(self, install, monkeypatch, value):
        monkeypatch.setenv("FAIRBENCH_DISABLE_PLUGINS", value)
        install("far-away", {"stranger": BROKEN})
        assert plugin("far-away").status == "switched off"
        assert problems("far-away") == []
        assert "stranger" not in sys.modules
        assert load().find("protocol", "honest")

    def test_only_those_named(self, install, monkeypatch):
        monkeypatch.setenv("FAIRBENCH_DISABLE_PLUGINS", "neighbour")
        install("far-away", {"stranger": GOOD})
        assert plugin("far-away").status == "loaded"

    @pytest.mark.parametrize("value", ["core", "fairbench-mtl"])
    def test_never_fairbench_itself_and_it_says_so(self, install, monkeypatch, value):
        monkeypatch.setenv("FAIRBENCH_DISABLE_PLUGINS", value)
        said = [p for p in load().problems if p.plugin == "core"]
        assert ["cannot be switched off" in p.what for p in said] == [True]
        assert load().find("protocol", "honest")

    def test_missing_name_reminds_of_it(self, install, monkeypatch):
        monkeypatch.setenv("FAIRBENCH_DISABLE_PLUGINS", "*")
        install("far-away", {"stranger": GOOD})
        with pytest.raises(StudyError, match="far-away:stranger is switched off"):
            load().find("metric", "median-error")


class Toy:
    """A plugin as an object; what it is told of a run is kept."""

    def __init__(self, *, angry: bool = False) -> None:
        self.heard: list[tuple[str, ...]] = []
        self.angry = angry

    @hookimpl
    def fairbench_metrics(self):
        return [MetricDescription(name="toy", summary="Toy", target="toy:toy", role="error")]

    @hookimpl
    def fairbench_run_started(self, run):
        self.heard.append(("started", run))
        if self.angry:
            raise RuntimeError("no")

    @hookimpl
    def fairbench_chunk_finished(self, run, chunk):
        self.heard.append(("chunk", run, chunk))

    @hookimpl
    def fairbench_run_finished(self, run):
        self.heard.append(("finished", run))


class TestAdded:
    def test_is_there_within_the_block_only(self):
        with added(Toy(), name="local") as registry:
            assert load() is registry
            assert registry.find("metric", "toy").qualified == "local:toy"
            assert registry.find("protocol", "honest")
        with pytest.raises(StudyError, match="unknown metric 'toy'"):
            load().find("metric", "toy")

    def test_a_broken_plugin_is_an_error_at_once(self):
        with pytest.raises(PluginError, match="it implements no hook"), added(object()):
            pass


class TestObservers:
    def tell(self, registry):
        registry.observers.run_started("runs/a")
        registry.observers.chunk_finished("runs/a", "key")
        registry.observers.run_finished("runs/a")

    def test_hear_of_a_run(self):
        toy = Toy()
        with added(toy) as registry:
            self.tell(registry)
        assert toy.heard == [
            ("started", "runs/a"),
            ("chunk", "runs/a", "key"),
            ("finished", "runs/a"),
        ]

    def test_one_that_raises_is_reported_and_not_called_again(self):
        angry, calm = Toy(angry=True), Toy()
        with added(angry, name="angry"), added(calm, name="calm") as registry:
            before = registry.problems
            self.tell(registry)
            (problem,) = set(registry.problems) - set(before)
        assert angry.heard == [("started", "runs/a")]
        assert len(calm.heard) == 3
        assert problem.plugin == "angry"
        assert "fairbench_run_started raises RuntimeError: no" in problem.what

    def test_an_interrupt_gets_through(self):
        class Impatient:
            @hookimpl
            def fairbench_run_started(self, run):
                raise KeyboardInterrupt

        with added(Impatient()) as registry, pytest.raises(KeyboardInterrupt):
            registry.observers.run_started("runs/a")


def test_provenance_names_the_code_by_its_hash(install):
    install("far-away", {"stranger": GOOD}, version="2.5")
    found = load().find("metric", "median-error").provenance()
    assert len(found.pop("sha256")) == 64
    assert found == {
        "kind": "metric",
        "name": "median-error",
        "distribution": "far-away",
        "version": "2.5",
        "target": "stranger:median_error",
        "code": "far-away",
    }


def test_unknown_names_suggest_near_ones():
    with pytest.raises(StudyError, match="did you mean 'honest'"):
        load().find("protocol", "honst")
