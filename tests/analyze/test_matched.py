import numpy as np
import pandas as pd
import pytest

from fairbench.analyze import Axes, Correction, Run, compare, judge, matched_points, paired

AXES = Axes("err", "gap")
SHARED = {"dataset": "d", "target": "y", "protected": "a"}


def point(method, split, value, selection, test, seed=0):
    return {
        **SHARED,
        "method": method,
        "split": split,
        "seed": seed,
        "value": value,
        "selection_error": selection[0],
        "selection_disparity": selection[1],
        "error": test[0],
        "disparity": test[1],
        "front": True,
    }


@pytest.fixture
def fronts():
    return pd.DataFrame(
        [
            point("base", 0, np.nan, (1.00, 0.5), (1.1, 0.60)),
            point("m", 0, 1.0, (0.99, 0.4), (1.0, 0.45)),
            point("m", 0, 2.0, (1.05, 0.2), (1.2, 0.30)),
            point("m", 0, 3.0, (1.06, 0.1), (1.2, 0.05)),
            point("base", 1, np.nan, (2.00, 0.5), (2.1, 0.40)),
            point("m", 1, 1.0, (2.50, 0.1), (2.6, 0.10)),
            point("m", 1, 2.0, (2.20, 0.3), (2.3, 0.35)),
        ]
    )


def test_the_fairest_within_reach_is_chosen_on_validation(fronts):
    found = matched_points(fronts, AXES, "base").set_index("split")
    # Split 0: 1.06 is beyond 1.05, of the others value 2 is fairest on validation.
    assert found.loc[0, ["value", "within", "error", "disparity"]].tolist() == [2.0, True, 1.2, 0.3]
    # Split 1: none within reach, the most accurate stands in.
    assert found.loc[1, ["value", "within", "disparity"]].tolist() == [2.0, False, 0.35]
    assert found["tried"].tolist() == [3, 2]


def test_a_wider_tolerance_reaches_further(fronts):
    found = matched_points(fronts, AXES, "base", tolerance=0.1).set_index("split")
    assert found.loc[0, "value"] == 3.0
    assert found.loc[1, ["value", "within"]].tolist() == [2.0, True]


def test_test_rows_decide_nothing(fronts):
    changed = fronts.assign(error=fronts["error"] * 7, disparity=1 - fronts["disparity"])
    keys = ["split", "value", "within"]
    assert matched_points(changed, AXES, "base")[keys].equals(
        matched_points(fronts, AXES, "base")[keys]
    )


def test_differences_are_paired_by_split(fronts):
    found = paired(matched_points(fronts, AXES, "base")).set_index("split")
    assert found["disparity_difference"].tolist() == pytest.approx([0.3 - 0.6, 0.35 - 0.4])
    assert found["error_difference"].tolist() == pytest.approx([1.2 - 1.1, 2.3 - 2.1])
    compared = compare(found.reset_index(), {"d": Correction(1 / 3)}).iloc[0]
    assert compared["difference"] == pytest.approx(-0.175)
    assert (compared["splits"], compared["within"], compared["fairer_on"]) == (2, 1, 2)


def test_seeds_of_a_split_are_one_observation():
    rows = []
    for split in range(4):
        for seed in range(3):
            rows.append(point("base", split, np.nan, (1, 1), (1, 1.0), seed))
            rows.append(point("m", split, np.nan, (1, 1), (1, 0.8 + 0.1 * seed), seed))
    compared = compare(
        paired(matched_points(pd.DataFrame(rows), AXES, "base")), {"d": Correction(0.3)}
    )
    assert compared["splits"].item() == 4
    assert compared["difference"].item() == pytest.approx(-0.1)


def test_a_metric_best_when_high_is_turned_around(fronts):
    turned = fronts.assign(
        disparity=-fronts["disparity"], selection_disparity=-fronts["selection_disparity"]
    )
    high = Axes("err", "closeness", "low", "high")
    one = judge(fronts, AXES, "base", {"d": Correction(0.3)})
    other = judge(turned, high, "base", {"d": Correction(0.3)})
    pd.testing.assert_frame_equal(
        one.drop(columns="sentence"), other.drop(columns="sentence"), check_exact=False
    )


def test_nothing_to_compare_with(fronts):
    assert judge(fronts, AXES, "", {"d": Correction(0.3)}).empty
    assert judge(fronts.iloc[:0], AXES, "base", {}).empty


def test_a_baseline_with_a_tradeoff_stands_at_its_most_accurate_point():
    rows = [
        point("base", 0, 1.0, (1.0, 0.1), (9, 0.7)),
        point("base", 0, 2.0, (0.9, 0.9), (9, 0.2)),
        point("m", 0, np.nan, (0.9, 0.5), (1, 0.5)),
    ]
    found = matched_points(pd.DataFrame(rows), AXES, "base")
    assert found["base_value"].item() == 2.0
    assert found["base_disparity"].item() == 0.2


def test_trials_without_a_value_are_passed_over(fronts):
    fronts.loc[2, "disparity"] = np.nan
    found = matched_points(fronts, AXES, "base").set_index("split")
    assert found.loc[0, "value"] == 1.0


def test_on_a_run(make_run, metrics):
    run = Run(make_run(splits=4).path)
    table = run.matched()
    assert set(table["method"]) == {"tuned"}
    test = run.metrics().query("part == 'test'")
    for row in table.itertuples():
        own = test.query(f"method=='tuned' and split=={row.split} and value=={row.value}")
        base = test.query(f"method=='base' and split=={row.split}")
        assert row.disparity_loss == own["gap"].item()
        assert row.base_disparity_loss == base["gap"].item()


def test_differences_that_are_all_one_step_have_no_noise_to_be_held_against():
    """A metric that counts may differ by one step in every split: chance for five, not for ten."""
    for splits in (5, 10):
        rows = []
        for split in range(splits):
            rows.append(point("base", split, np.nan, (1, 1), (1 + 0.01 * split, 0.5)))
            rows.append(point("m", split, np.nan, (1, 1), (1 + 0.01 * split, 0.5 - 1 / 84)))
        pairs = paired(matched_points(pd.DataFrame(rows), AXES, "base"))
        assert compare(pairs, {"d": Correction(0.07)})["p"].item() == 0.5 ** (splits - 1)
