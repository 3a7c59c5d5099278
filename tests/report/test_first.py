"""The first screen: who is worse off, and what every method changes."""

from __future__ import annotations

import re

import numpy as np
import pytest

from fairbench.analyze import Run, corrected_interval
from fairbench.report import Cells, Intervals, View, gather
from fairbench.report.sections.first import changes, verdict_table, worse_off
from fairbench.report.words import between, number, signed


def test_who_is_worse_off_is_what_predictions_say(small):
    """From stored predictions and rows, without the tables of the analysis."""
    rows = small._folder.rows("boston")
    sex, errors = rows.protected[0], {0: [], 1: []}
    bias = {0: [], 1: []}
    for chunk in small._folder.chunks():
        first = chunk.trials[0]
        if first.method != "single-task":
            continue
        test = rows.splits[first.split].test
        residual = chunk.prediction("test")[0, :, 0] - rows.targets[test, 0]
        for group in (0, 1):
            own = residual[sex.groups[test] == group]
            errors[group].append(np.abs(own).mean())
            bias[group].append(own.mean())
    table = small.baseline_groups()
    own = table[(table["target"] == "motor_UPDRS") & (table["protected"] == "sex")]
    own = own.set_index("group")
    for group, label in enumerate(sex.labels):
        correction = small.corrections["boston"]
        found = corrected_interval(np.array(errors[group]), correction.ratio, df=correction.df)
        assert own.loc[label, "error"] == pytest.approx(np.mean(errors[group]))
        assert own.loc[label, "bias"] == pytest.approx(np.mean(bias[group]))
        assert own.loc[label, "low"] == pytest.approx(found.low)
        assert own.loc[label, "high"] == pytest.approx(found.high)


def test_the_worse_off_group_is_named_first_in_every_format(small, render):
    contents = gather([small], View())
    aspect = next(contents.sheets[0].aspects)
    told = worse_off(contents, aspect)
    table = aspect.of(small.baseline_groups()).set_index("group")
    worst, best = table["error"].idxmax(), table["error"].idxmin()
    assert told.index(f"for {worst}") < told.index(f"for {best}")
    side = "high" if table.loc[worst, "bias"] > 0 else "low"
    assert f"Predictions for {worst} are" in told
    assert f"too {side} on average" in told
    for form in ("terminal", "markdown", "latex", "html"):
        text = re.sub(r"\\(.)", r"\1", render(form, small)).replace("--", "–")
        assert " ".join(told.split())[:60] in text, form


def test_every_method_has_its_verdicts_in_one_table(run):
    contents = gather([run], View())
    table = verdict_table(contents)
    assert len(table.header) == 1 + len(contents.sheets)
    verdicts = contents.judgement.verdicts
    for method, *cells in table.rows:
        for sheet, cell in zip(contents.sheets, cells, strict=True):
            aspect = next(sheet.aspects)
            own = aspect.of(verdicts)
            own = own[own["method"] == method].iloc[0]
            assert cell.startswith(own["verdict"])
            assert own["accuracy"] in cell


def test_the_band_is_what_counts_as_no_change(small):
    contents = gather([small], View())
    drawn = changes(contents, next(contents.sheets[0].aspects))
    own = next(contents.sheets[0].aspects).of(contents.judgement.verdicts)
    assert isinstance(drawn, Intervals)
    assert drawn.room == pytest.approx(0.2 * own["base_disparity"].iloc[0])
    assert [mark.value for mark in drawn.marks] == own["difference"].tolist()


def test_the_verdicts_stand_before_any_other_table(small):
    from fairbench.report import in_text

    tables = [b for b in in_text(gather([small], View()), details=True) if isinstance(b, Cells)]
    assert tables[0].name == "verdicts by dataset"


def test_a_run_without_a_baseline_has_no_first_screen(made_up, tmp_path):
    made_up.write_run(
        tmp_path / "run", methods=made_up.arms(2), trouble=False, labels=("one",), baseline=False
    )
    contents = gather([Run(tmp_path / "run")], View())
    assert worse_off(contents, next(contents.sheets[0].aspects)) == ""


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (number(1090.4), "1,090"),
        (number(1234567.0), "1,234,567"),
        (number(-1090.4), "-1,090"),
        (number(999.96), "1000"),
        (number(0.12345), "0.1235"),
        (signed(1090.4), "+1,090"),
        (between(-1090.4, 22.222), "-1,090 to 22.2"),
    ],
)
def test_numbers_are_those_of_people(words, told):
    assert words == told
