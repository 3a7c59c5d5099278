"""A method without a usable trial, and a baseline without one: every format says so and why."""

import json

import numpy as np
import pandas as pd
import pytest

import fairbench
from fairbench.dataset import DatasetSpec
from fairbench.plugins import load
from fairbench.report import View

FORMS = ["terminal", "markdown", "html", "json"]


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """400 rows, of which ten are in a third group."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(400, 2))
    file = tmp_path_factory.mktemp("table") / "people.csv"
    pd.DataFrame(
        {
            "first": x[:, 0],
            "second": x[:, 1],
            "race": rng.permutation(["a"] * 200 + ["b"] * 190 + ["c"] * 10),
            "y": x.sum(axis=1) + rng.normal(size=400),
        }
    ).to_csv(file, index=False)
    return file


def rendered(run, form):
    document = next(iter(load().find("reporter", form).build({}).render([run], View()).values()))
    return document if isinstance(document, str) else document.decode()


@pytest.fixture(scope="module")
def too_small(table, tmp_path_factory):
    study = fairbench.Study(
        methods=["ridge", "mean"],
        datasets=[DatasetSpec(str(table), ("y",), ("race",), min_group=1)],
        disparity="separation-ratio-binned",
        metrics=["rmse"],
        baseline="ridge",
        seeds=3,
    )
    return fairbench.run(study, out=tmp_path_factory.mktemp("small") / "run", executor="serial")


@pytest.mark.parametrize("form", FORMS)
def test_a_group_too_small_for_the_disparity_is_named(too_small, form):
    text = rendered(too_small, form).replace("&#39;", "'")
    assert "No verdict: ridge, the baseline, has no usable trial. separation-ratio-binned" in text
    assert "mean: no verdict, as it has no usable trial" in text
    assert "group 'c' of race has 2 rows, fewer than 20" in text


@pytest.fixture(scope="module")
def diverged(table, tmp_path_factory):
    study = fairbench.Study(
        methods=["single-task", "ridge"],
        datasets=[DatasetSpec(str(table), ("y",), ("race",))],
        metrics=["rmse"],
        baseline="single-task",
        seeds=3,
        training={"epochs": 2, "lr": 1e30, "kernel": "torch"},
    )
    return fairbench.run(study, out=tmp_path_factory.mktemp("lost") / "run", executor="serial")


@pytest.mark.parametrize("form", FORMS)
def test_a_diverged_baseline_leaves_a_verdict_line_that_says_so(diverged, form):
    text = rendered(diverged, form)
    assert "No verdict: single-task, the baseline, has no usable trial. 3 of 3 trials div" in text
    assert "not finite" in text
    assert "ridge: no verdict" not in text  # it lacks nothing but the baseline


def test_methods_with_usable_trials_are_not_mentioned(run, contents):
    text = json.loads(rendered(run, "json"))
    assert text["unusable"] == []
