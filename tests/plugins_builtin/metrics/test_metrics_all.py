"""What every registered metric keeps to, whatever it measures."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from fairbench.metric import Undefined
from fairbench_metrics import fairbench_metrics

EVERY = tuple(fairbench_metrics())
NAMES = [d.name for d in EVERY]
COMPARING = [d.name for d in EVERY if d.role == "disparity" and d.takes != ("individual",)]
OF_GROUPS = [d for d in EVERY if d.takes != ("individual",)]
GROUPED = [d.name for d in EVERY if d.smallest_group]
UNIVERSAL = [d.name for d in EVERY if len(d.takes) == 3]
PAGE = Path(__file__).parents[3] / "docs" / "metrics.md"


def test_names_are_unique():
    assert len(NAMES) == len(set(NAMES)) > 60


def test_listing_imports_no_numpy():
    code = (
        "import sys, fairbench_metrics; list(fairbench_metrics.fairbench_metrics());"
        "assert not {'numpy', 'pandas', 'torch', 'sklearn', 'scipy'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def cells_of(description):
    """The row of the page that defines a metric: name, definition, best, range, unit, A, min."""
    rows = re.findall(rf"^\| `{description.name}` \|.*$", PAGE.read_text("utf-8"), re.MULTILINE)
    assert len(rows) == 1, f"docs/metrics.md has {len(rows)} rows for {description.name}"
    return [cell.strip() for cell in re.split(r"(?<!\\)\|", rows[0].strip("|"))]


@pytest.mark.parametrize("description", EVERY, ids=NAMES)
def test_the_page_says_what_the_description_says(description):
    cells = cells_of(description)
    takes = "all" if len(description.takes) == 3 else ", ".join(description.takes)
    smallest = str(description.smallest_group) if description.smallest_group else "–"
    assert cells[2] == description.best
    assert cells[4:] == [description.unit, takes, smallest]


@pytest.mark.parametrize("name", UNIVERSAL)
def test_trials_together_equal_trials_alone(metric, sample, name):
    prediction, target, attribute = sample
    together = metric(name)(prediction, target, attribute)
    assert together.shape == (5,)
    assert np.isfinite(together).all()
    alone = [metric(name)(row, target, attribute) for row in prediction]
    assert {value.shape for value in alone} == {()}
    np.testing.assert_allclose(together, alone, rtol=1e-7, atol=1e-10)
    stacked = metric(name)(prediction[:4].reshape(2, 2, -1), target, attribute)
    np.testing.assert_allclose(stacked.ravel(), together[:4], rtol=1e-7, atol=1e-10)


@pytest.mark.parametrize("description", OF_GROUPS, ids=lambda d: d.name)
def test_values_lie_in_the_range_of_the_page(metric, attribute, description):
    """On predictions without merit, whose groups differ in everything, and on one with some."""
    low, high = (
        float(end.replace("∞", "inf").replace("−", "-"))
        for end in cells_of(description)[3].split("…")
    )
    rng = np.random.default_rng(8)
    groups = np.arange(300) % 2
    target = rng.normal(0, 1, 300)
    prediction = rng.standard_cauchy((20, 300)) * (1 + 2 * groups) + 3 * groups
    prediction[10:] = np.sign(prediction[10:])
    prediction[0] = 0.9 * target
    values = metric(description.name)(prediction, target, attribute(groups))
    values = values[~np.isnan(values)]
    assert (values >= low).all()
    assert (values <= high).all()


@pytest.mark.parametrize("name", UNIVERSAL)
def test_order_of_rows_does_not_matter(metric, sample, name):
    prediction, target, attribute = sample
    order = np.random.default_rng(3).permutation(len(target))
    np.testing.assert_allclose(
        metric(name)(prediction[:, order], target[order], attribute.rows(order)),
        metric(name)(prediction, target, attribute),
        rtol=1e-7,
        atol=1e-10,
    )


@pytest.mark.parametrize("name", UNIVERSAL)
def test_names_of_groups_do_not_matter(metric, discrete, attribute, name):
    prediction, target, given = discrete
    renamed = attribute(given.groups.max() - given.groups)
    np.testing.assert_allclose(
        metric(name)(prediction, target, renamed),
        metric(name)(prediction, target, given),
        rtol=1e-7,
        atol=1e-10,
    )


@pytest.mark.parametrize("name", UNIVERSAL)
def test_units(metric, sample, descriptions, name):
    """Predictions and targets in other units change a metric as its unit says."""
    prediction, target, attribute = sample
    power = {"none": 0, "target": 1, "target²": 2}[descriptions[name].unit]
    np.testing.assert_allclose(
        metric(name)(8 * prediction - 3, 8 * target - 3, attribute),
        8.0**power * metric(name)(prediction, target, attribute),
        rtol=1e-6,
        atol=1e-9,
    )


@pytest.mark.parametrize("name", COMPARING)
def test_disparities_tell_fair_from_unfair(metric, descriptions, attribute, name):
    """Groups that are exact copies of each other are better off than shifted, noisier ones."""
    rng = np.random.default_rng(5)
    target = np.tile(rng.normal(0, 1, 400), 2)
    fair = np.tile(target[:400] + rng.normal(0, 0.5, 400), 2)
    groups = np.repeat([0, 1], 400)
    unfair = np.where(groups == 1, 0.7 * target + 0.4 + rng.normal(0, 0.6, 800), fair)
    values = metric(name)(np.stack([fair, unfair]), target, attribute(groups))
    best = descriptions[name].best
    if best == "one":
        assert values[0] == pytest.approx(1, abs=1e-9)
        assert abs(np.log(values[1])) > 0.01
    elif best == "high":
        assert values[1] < values[0]
    else:
        assert 0 <= values[0] < values[1]


LEVEL = {"mae-worst", "mse-worst", "rmse-worst", "r2-worst", "bounded-group-loss"}
LEVEL |= {"berk-individual", "calibration-worst", "generalized-entropy"}


@pytest.mark.parametrize("name", sorted(set(COMPARING) - LEVEL))
def test_groups_that_are_copies_have_no_disparity(metric, descriptions, attribute, name):
    """All but the metrics above, which measure a level that copies share."""
    rng = np.random.default_rng(6)
    target = np.tile(rng.normal(0, 1, 300), 2)
    prediction = np.tile(0.8 * target[:300] + rng.normal(0, 0.5, 300), 2)
    value = metric(name)(prediction, target, attribute(np.repeat([0, 1], 300)))
    ideal = 1 if descriptions[name].best == "one" else 0
    assert value == pytest.approx(ideal, abs=1e-7)


@pytest.mark.parametrize("name", GROUPED)
def test_a_single_group_is_no_comparison(metric, discrete, attribute, name):
    prediction, target, _ = discrete
    with pytest.raises(Undefined):
        metric(name)(prediction, target, attribute(np.zeros(len(target)), "binary"))


@pytest.mark.parametrize("name", GROUPED)
def test_a_group_without_rows_is_undefined(metric, discrete, name):
    prediction, target, given = discrete
    keep = np.flatnonzero(given.groups == 0)
    with pytest.raises(Undefined):
        metric(name)(prediction[:, keep], target[keep], given.rows(keep))


UNDEFINED_FOR_CONSTANT = {
    "mean-parity-scaled",
    "cka",
    "calibration-slope-gap",
    "calibration-intercept-gap",
    "r2-ratio",
}


@pytest.mark.parametrize("name", sorted(set(COMPARING) & set(UNIVERSAL)))
def test_a_constant_prediction_is_told_nothing_of_the_group(metric, discrete, name):
    """The mean as the prediction: a value or a reason, never a NaN without."""
    _, target, given = discrete
    constant = np.full((2, len(target)), target.mean())
    if name in UNDEFINED_FOR_CONSTANT:
        with pytest.raises(Undefined):
            metric(name)(constant, target, given)
    else:
        assert np.isfinite(metric(name)(constant, target, given)).all()
