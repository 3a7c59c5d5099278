"""Plans: which trials there are, which train together, and that it depends on the study alone."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairbench.errors import StudyError
from fairbench.plugins import load
from fairbench.study import Study, plan
from fairbench.study.plan import _blocks, _even

RIDGE = {"methods": ["ridge"], "datasets": ["synthetic"], "baseline": None}


def planned(**study):
    return plan(Study(**{**RIDGE, **study}), load())


def trials_of(resolved) -> list:
    return [trial for chunk in resolved.chunks() for trial in chunk.trials]


def test_every_trial_once():
    resolved = planned(
        methods=[{"name": "static-alpha", "tradeoff": "0.1:5:0.1"}, "ridge"], seeds=3
    )
    trials = trials_of(resolved)
    assert len(set(trials)) == len(trials) == 3 * 50 + 3
    assert resolved.size == (6, 153)
    assert {(t.split, t.seed) for t in trials} == {(0, 0), (1, 1), (2, 2)}
    keys = [chunk.key for chunk in resolved.chunks()]
    assert len(set(keys)) == len(keys)


def test_splits_times_seeds():
    trials = trials_of(planned(splits=2, seeds=3))
    assert {(t.split, t.seed) for t in trials} == {(k, s) for k in (0, 1) for s in (0, 1, 2)}


def test_equal_studies_have_equal_chunks_and_splits():
    study = {"methods": ["static-alpha", "ridge"], "seeds": 2}
    first, second = planned(**study), planned(**study)
    assert list(first.chunks()) == list(second.chunks()) == list(first.chunks())
    for one, other in zip(first.splits["synthetic"], second.splits["synthetic"], strict=True):
        for part in ("train", "validation", "test"):
            np.testing.assert_array_equal(one[part], other[part])


def test_more_seeds_add_chunks_and_leave_the_others_as_they_are():
    few, many = (planned(seeds=n) for n in (2, 4))
    assert {c.key for c in few.chunks()} < {c.key for c in many.chunks()}
    for one, other in zip(few.splits["synthetic"], many.splits["synthetic"], strict=False):
        np.testing.assert_array_equal(one.test, other.test)


def test_another_entropy_draws_other_splits():
    one, other = (planned(seeds=1, entropy=e).splits["synthetic"][0] for e in (0, 1))
    assert not np.array_equal(one.test, other.test)


def test_keys_tell_values_apart_that_look_alike():
    close = [1.0, 1.0000001, 1.0000002]
    keys = set()
    for value in close:
        resolved = planned(methods=[{"name": "static-alpha", "tradeoff": [value]}], seeds=1)
        keys |= {chunk.key for chunk in resolved.chunks()}
    assert len(keys) == len(close)


def test_keys_are_names_of_files():
    label = "my method/with: a\\long name " + "é" * 200
    (chunk,) = planned(methods=[{"name": "ridge", "label": label}], seeds=1).chunks()
    assert len(chunk.key.encode()) < 200
    assert not set(chunk.key) & set('/\\:*?"<>| ')


@given(
    st.integers(1, 3),
    st.integers(1, 200),
    st.integers(1, 7),
    st.integers(1, 90),
)
def test_chains_are_never_cut_and_chunks_are_even(seeds, values, chain, lanes):
    trials = [(seed, value) for seed in range(seeds) for value in range(values)]
    blocks = _blocks(trials, values, chain)
    assert [t for block in blocks for t in block] == trials
    for block in blocks:
        assert len(block) <= chain
        assert len({seed for seed, _ in block}) == 1
    parts = list(_even(blocks, lanes))
    assert [block for part in parts for block in part] == blocks
    sizes = {len(part) for part in parts}
    assert max(sizes) <= lanes
    assert max(sizes) - min(sizes) <= 1
    assert len(parts) == -(-len(blocks) // lanes)


@pytest.mark.parametrize(
    ("training", "chunks"), [({}, 8), ({"lanes": 500}, 1), ({"lanes": 3}, 167)]
)
def test_the_study_says_how_many_trials_make_a_chunk(training, chunks):
    values = [k / 100 for k in range(500)]
    methods = [{"name": "static-alpha", "tradeoff": values}]
    resolved = planned(methods=methods, training=training, seeds=1)
    assert resolved.size == (chunks, 500)


def test_chains_of_a_plan_stay_in_one_chunk():
    resolved = planned(
        methods=[{"name": "static-alpha", "tradeoff": "0.01:5:0.01"}],
        training={"chain": 7},
        seeds=1,
    )
    values = list(resolved.arms["synthetic", "static-alpha"].values)
    home = {t.value: chunk.key for chunk in resolved.chunks() for t in chunk.trials}
    assert len(set(home.values())) > 1
    for start in range(0, len(values), 7):
        assert len({home[value] for value in values[start : start + 7]}) == 1


def test_labels_tell_two_uses_apart():
    two = [
        {"name": "ridge", "label": label, "options": {"penalty": penalty}}
        for label, penalty in (("a", 1), ("b", 2))
    ]
    resolved = planned(methods=two, seeds=1)
    assert [method for _, method in resolved.arms] == ["a", "b"]
    with pytest.raises(StudyError, match="a method stands twice"):
        planned(methods=["ridge", "ridge"])
    with pytest.raises(StudyError, match="dataset 'synthetic' stands twice"):
        planned(datasets=["synthetic", "synthetic"])
    labelled = planned(datasets=["synthetic", {"name": "synthetic", "label": "again"}], seeds=1)
    assert list(labelled.datasets) == ["synthetic", "again"]


def test_the_digest_is_of_what_decides_predictions():
    study = Study(**RIDGE)
    for same in ({"name": "x"}, {"error": "mae"}, {"metrics": ["mae"]}):
        assert study.model_copy(update=same).digest() == study.digest()
    assert Study(**{**RIDGE, "seeds": 6}).digest() != study.digest()


@pytest.fixture(scope="module")
def people(tmp_path_factory):
    """A table whose protected attribute is a number, a word of three, or yes or no."""
    draw = np.random.default_rng(0)
    file = tmp_path_factory.mktemp("people") / "people.csv"
    rows = [
        f"{x:.3f},{age:.3f},{'abc'[k % 3]},{'ny'[k % 2]},{x + age:.3f}"
        for k, (x, age) in enumerate(draw.normal(size=(300, 2)))
    ]
    file.write_text("\n".join(["x,age,race,member,y", *rows]) + "\n", encoding="utf-8")
    return str(file)


@pytest.mark.parametrize(
    ("attribute", "loss", "fits"),
    [
        ("race", "auto", True), ("race", "mse", False), ("race", "bce", False),
        ("age", "auto", True), ("age", "mse", True), ("age", "bce", False),
        ("member", "auto", True), ("member", "mse", True), ("member", "bce", True),
    ],
)  # fmt: skip
def test_a_loss_that_does_not_fit_the_attribute_is_refused(people, attribute, loss, fits):
    study = {
        "methods": [{"name": "static-alpha", "options": {"z_loss": loss}}],
        "datasets": [{"name": people, "targets": ["y"], "protected": [attribute]}],
    }
    if fits:
        planned(**study)
        return
    with pytest.raises(StudyError, match=f"'{loss}' does not fit '{attribute}'") as told:
        planned(**study)
    assert "'auto'" in told.value.hint


def test_batch_normalisation_of_single_rows_is_refused():
    options = {"architecture": {"batch_norm": True}}
    study = {"methods": [{"name": "static-alpha", "options": options}]}
    planned(**study, training={"batch_size": 2})
    planned(methods=["static-alpha"], training={"batch_size": 1})
    with pytest.raises(StudyError, match="batch normalisation") as told:
        planned(**study, training={"batch_size": 1})
    assert "batch size of at least 2" in told.value.hint


def test_a_number_of_tasks_that_a_weighting_is_not_made_for_is_refused(tmp_path):
    draw = np.random.default_rng(0).normal(size=(200, 5)).round(3)
    rows = [",".join(map(str, row)) + f",{'ab'[k % 2]}" for k, row in enumerate(draw)]
    file = tmp_path / "many.csv"
    file.write_text("\n".join(["x,t1,t2,t3,t4,g", *rows]) + "\n", encoding="utf-8")
    data = {"name": str(file), "protected": ["g"]}
    planned(methods=["pcgrad"], datasets=[{**data, "targets": ["t1", "t2", "t3"]}])
    with pytest.raises(StudyError, match="is for 2 to 4 tasks, the study gives it 5") as told:
        planned(methods=["pcgrad"], datasets=[{**data, "targets": ["t1", "t2", "t3", "t4"]}])
    assert told.value.where == "method 'pcgrad' on 'many.csv'"


def test_a_method_that_cannot_be_checked_is_left_to_training(monkeypatch):
    from fairbench_baselines.single_task import SingleTask

    def broken(self, dataset):
        raise ZeroDivisionError

    monkeypatch.setattr(SingleTask, "tasks", broken)
    assert planned(methods=["single-task"], seeds=1).size[1] == 1


class TestUnfit:
    """biased-sampling takes no categorical attribute."""

    def study(self, **how):
        return Study(
            methods=("biased-sampling", "ridge"),
            datasets=({"name": "synthetic", "options": {"rows": 200}},),
            seeds=1,
            baseline=None,
            **how,
        )

    def planned(self, monkeypatch, study):
        from fairbench.facts import Facts
        from fairbench_baselines.pre.biased_sampling import BiasedSampling

        only = property(lambda self: Facts(takes=("continuous",)))
        monkeypatch.setattr(BiasedSampling, "facts", only)
        return plan(study, load())

    def test_a_kind_that_a_method_does_not_take_is_refused_by_name(self, monkeypatch):
        with pytest.raises(StudyError, match="takes no binary attribute such as 'group'") as found:
            self.planned(monkeypatch, self.study())
        assert "it takes continuous" in found.value.hint

    def test_the_rest_goes_on_where_the_study_says_so(self, monkeypatch):
        found = self.planned(monkeypatch, self.study(unfit="leave-out"))
        assert [method for _, method in found.arms] == ["ridge"]
        (told,) = found.left_out
        assert told.startswith("biased-sampling is left out on synthetic: ")
        assert {chunk.method for chunk in found.chunks()} == {"ridge"}
