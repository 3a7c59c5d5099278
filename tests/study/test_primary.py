"""The primary analysis: declared before a run, and not exchanged in silence."""

import pytest

import fairbench
from fairbench.analyze import DISPARITY_MARGIN, MARGIN, Run
from fairbench.errors import StudyError
from fairbench.plugins import load
from fairbench.progress import Quiet
from fairbench.study import PrimarySpec, Study, plan, primary_views, validated

RIDGE = {
    "methods": ["ridge"],
    "datasets": ["synthetic"],
    "baseline": "mean",
    "splits": 3,
    "seeds": 1,
    "metrics": ["rmse", "rmse-disparity", "mae-disparity"],
}


def test_five_splits_with_two_seeds_unless_told_otherwise():
    named = {"methods": ["ridge"], "datasets": ["synthetic"]}
    assert len(Study(**named).repeats) == 10
    assert {split for split, _ in Study(**named).repeats} == set(range(5))
    assert Study(**named, seeds=3).repeats == ((0, 0), (1, 1), (2, 2))
    assert Study(**named, splits=3).repeats == tuple((k, s) for k in range(3) for s in (0, 1))


def test_margins_of_studies_and_of_old_runs_are_the_same():
    assert (PrimarySpec().margin, PrimarySpec().disparity_margin) == (MARGIN, DISPARITY_MARGIN)


def test_a_name_that_is_nowhere_is_refused():
    study = Study(**RIDGE, primary={"target": "z"})
    with pytest.raises(StudyError, match="no dataset of this study has 'z'") as error:
        plan(study, load())
    assert error.value.where == "primary.target"
    resolved = plan(Study(**RIDGE), load())
    assert primary_views(PrimarySpec(target="y"), resolved.datasets) == {
        "synthetic": ("y", "group")
    }


def test_unknown_and_impossible_keys_are_refused():
    for primary, words in (({"margn": 1}, "unknown key"), ({"margin": -1}, "margin")):
        with pytest.raises(StudyError, match=words):
            validated({**RIDGE, "primary": primary}, lambda keys: ".".join(map(str, keys)))


def test_what_was_declared_is_in_the_run_and_an_exchange_is_noted(tmp_path):
    first = fairbench.run(Study(**RIDGE, primary={"margin": 0.1}), out=tmp_path / "run", jobs=1)
    assert first.primary.margin == 0.1
    assert first.primary.declared
    assert first.manifest["notes"] == []
    again = fairbench.run(Study(**RIDGE, primary={"margin": 0.3}), out=tmp_path / "run", jobs=1)
    (note,) = again.manifest["notes"]
    assert "declared anew after 6 of 6 trials" in note
    assert '"margin": 0.1' in note
    kept = fairbench.run(Study(**RIDGE, primary={"margin": 0.3}), out=tmp_path / "run", jobs=1)
    assert kept.manifest["notes"] == [note]


def test_a_run_says_beforehand_what_it_cannot_find(tmp_path):
    class Listening(Quiet):
        notes = ()

        def started(self, *_):
            self.before = self.notes

        def noted(self, note):
            self.notes = (*self.notes, note)

    told = Listening()
    fair = {"name": "synthetic", "options": {"rows": 200, "noise_ratio": 1.0}}
    study = Study(**{**RIDGE, "datasets": [fair], "methods": ["ridge", "gradient-boosting"]})
    run = fairbench.run(study, out=tmp_path / "run", jobs=1, progress=told)
    (note,) = told.before
    assert "even a complete removal of the rmse-disparity" in note
    assert note in Run(run.path).manifest["notes"]
