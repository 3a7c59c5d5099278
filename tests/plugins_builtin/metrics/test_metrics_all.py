"""What every registered metric keeps to, whatever it measures."""

import subprocess
import sys

import numpy as np
import pytest

from fairbench.metric import Undefined
from fairbench_metrics import fairbench_metrics

NAMES = [description.name for description in fairbench_metrics()]


def fits(descriptions, name, attribute):
    return attribute.kind in descriptions[name].takes


def test_names_are_unique():
    assert len(NAMES) == len(set(NAMES)) > 20


def test_listing_imports_no_numpy():
    code = (
        "import sys, fairbench_metrics; list(fairbench_metrics.fairbench_metrics());"
        "assert not {'numpy', 'pandas', 'torch', 'sklearn', 'scipy'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("name", NAMES)
def test_trials_together_equal_trials_alone(metric, sample, descriptions, name):
    prediction, target, attribute = sample
    if not fits(descriptions, name, attribute):
        pytest.skip("takes another kind")
    together = metric(name)(prediction, target, attribute)
    assert together.shape == (5,)
    assert np.isfinite(together).all()
    alone = [metric(name)(row, target, attribute) for row in prediction]
    assert {value.shape for value in alone} == {()}
    np.testing.assert_allclose(together, alone, rtol=1e-7, atol=1e-10)
    stacked = metric(name)(prediction[:4].reshape(2, 2, -1), target, attribute)
    np.testing.assert_allclose(stacked.ravel(), together[:4], rtol=1e-7, atol=1e-10)


@pytest.mark.parametrize("name", NAMES)
def test_order_of_rows_does_not_matter(metric, sample, descriptions, name):
    prediction, target, attribute = sample
    if not fits(descriptions, name, attribute):
        pytest.skip("takes another kind")
    order = np.random.default_rng(3).permutation(len(target))
    np.testing.assert_allclose(
        metric(name)(prediction[:, order], target[order], attribute.rows(order)),
        metric(name)(prediction, target, attribute),
        rtol=1e-7,
        atol=1e-10,
    )


@pytest.mark.parametrize("name", NAMES)
def test_names_of_groups_do_not_matter(metric, sample, descriptions, attribute, name):
    prediction, target, given = sample
    if given.kind == "continuous":
        pytest.skip("its values are no names")
    if not fits(descriptions, name, given):
        pytest.skip("takes another kind")
    renamed = attribute(given.groups.max() - given.groups)
    np.testing.assert_allclose(
        metric(name)(prediction, target, renamed),
        metric(name)(prediction, target, given),
        rtol=1e-7,
        atol=1e-10,
    )


@pytest.mark.parametrize("name", NAMES)
def test_units(metric, sample, descriptions, name):
    """Predictions and targets in other units change a metric as its unit says."""
    prediction, target, attribute = sample
    if not fits(descriptions, name, attribute):
        pytest.skip("takes another kind")
    power = {"none": 0, "target": 1, "target²": 2}[descriptions[name].unit]
    np.testing.assert_allclose(
        metric(name)(8 * prediction - 3, 8 * target - 3, attribute),
        8.0**power * metric(name)(prediction, target, attribute),
        rtol=1e-6,
        atol=1e-9,
    )


@pytest.mark.parametrize("name", NAMES)
def test_disparities_tell_fair_from_unfair(metric, descriptions, attribute, name):
    """Groups that are exact copies of each other are better off than shifted, noisier ones."""
    description = descriptions[name]
    if description.role == "error":
        pytest.skip("does not compare groups")
    rng = np.random.default_rng(5)
    target = np.tile(rng.normal(0, 1, 400), 2)
    fair = np.tile(target[:400] + rng.normal(0, 0.5, 400), 2)
    groups = np.repeat([0, 1], 400)
    unfair = np.where(groups == 1, 0.7 * target + 0.4 + rng.normal(0, 0.6, 800), fair)
    kind = "binary" if "binary" in description.takes else description.takes[0]
    values = metric(name)(np.stack([fair, unfair]), target, attribute(groups, kind))
    if description.best == "one":
        assert values[0] == pytest.approx(1, abs=0.03)
        assert abs(np.log(values[1])) > abs(np.log(values[0]))
    elif description.best == "high":
        assert values[1] < values[0]
    else:
        assert 0 <= values[0] < values[1]


@pytest.mark.parametrize("name", NAMES)
def test_a_single_group_is_no_comparison(metric, sample, descriptions, attribute, name):
    description = descriptions[name]
    if not description.smallest_group:
        pytest.skip("the groups play no part")
    prediction, target, _ = sample
    kind = "binary" if "binary" in description.takes else description.takes[0]
    alone = attribute(np.zeros(len(target)), kind)
    with pytest.raises(Undefined):
        metric(name)(prediction, target, alone)
