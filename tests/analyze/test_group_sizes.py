"""Which groups a verdict rests on: it names those left out, and rests on no handful of rows."""

import numpy as np
import pandas as pd
import pytest

import fairbench
from fairbench.analyze.group_sizes import group_sizes
from fairbench.study import Study


def test_the_smallest_group_that_is_compared_and_those_that_are_not():
    sizes = {("a", True): (30, 34), ("b", True): (9, 7), ("d", False): (1, 3), ("c", False): (2, 2)}
    rows = [
        ("data", "y", "race", method, "test", group, compared, split, count)
        for (group, compared), counts in sizes.items()
        for split, count in enumerate(counts)
        for method in ("x", "baseline")
    ]
    columns = [
        "dataset",
        "target",
        "protected",
        "method",
        "part",
        "group",
        "compared",
        "split",
        "n",
    ]
    (found,) = group_sizes(pd.DataFrame(rows, columns=columns)).to_dict("records")
    assert found["smallest_group"] == "b"
    assert found["smallest_rows"] == 8
    assert found["left_out"] == "c, d"


@pytest.fixture
def table(tmp_path):
    """Writes a table whose groups have these sizes; the error of the second is the largest."""

    def write(**sizes):
        rng = np.random.default_rng(0)
        group = rng.permutation(np.repeat(list(sizes), list(sizes.values())))
        x = rng.normal(size=len(group))
        noise = rng.normal(size=len(group)) * np.where(group == list(sizes)[1], 2.0, 0.5)
        frame = pd.DataFrame({"x": x, "group": group, "y": x + noise})
        frame.to_csv(tmp_path / "table.csv", index=False)
        return str(tmp_path / "table.csv")

    return write


def judged(path, tmp_path, **options):
    dataset = {"name": path, "targets": ["y"], "protected": ["group"], **options}
    study = Study(
        methods=["mean"],
        datasets=[dataset],
        baseline="ridge",
        metrics=["rmse", "rmse-disparity"],
    )
    run = fairbench.run(study, out=tmp_path / "run", executor="serial")
    (row,) = run.verdicts().to_dict("records")
    return run, row


def test_a_verdict_names_the_groups_that_are_left_out(table, tmp_path):
    run, row = judged(table(a=300, b=300, c=12), tmp_path)
    assert row["sentence"].endswith("Left out of the disparity, for too few rows: c.")
    assert row["worst_group"] in {"a", "b"}
    groups = run.groups()
    assert set(groups.loc[~groups["compared"], "group"]) == {"c"}
    (finding,) = run.audits().query("check == 'groups' and text.str.contains('no disparity')").text
    assert "c (12 rows)" in finding


def test_without_small_groups_nothing_is_said_of_them(table, tmp_path):
    _, row = judged(table(a=300, b=300, c=60), tmp_path)
    assert "Left out" not in row["sentence"]
    assert row["verdict"] != "no verdict"


def test_no_verdict_rests_on_a_handful_of_rows(table, tmp_path):
    _, row = judged(table(a=300, b=15), tmp_path)
    assert row["verdict"] == "no verdict"
    assert "group b has only 3 test rows a split" in row["sentence"]
    assert row["accuracy"] == "less accurate"  # which all rows tell
