"""What counts as a regression, and what does not."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from scipy import stats

from fairbench.analyze import Correction, corrected_interval
from fairbench.analyze.simulation import Truth, simulate_fronts
from fairbench.gate import DatasetFacts, ProtocolFacts, Tolerance, compare, unpaired_interval

THEN = np.array([4.0, 4.4, 3.9, 4.2, 4.1])
NOISE = np.array([0.01, -0.02, 0.015, 0.0, -0.01])
SHARED = (Correction(0.3), Correction(0.3))


def runs(values):
    return {(k, k): float(value) for k, value in enumerate(values)}


def one(before, now):
    (found,) = compare(before, now).comparisons
    return found


def test_equal_values_are_identical(snapshot):
    before = snapshot({"net": runs(THEN)})
    assert one(before, before).status == "identical"
    assert compare(before, before).exit_code == 0


@pytest.mark.parametrize(
    ("best", "change", "status"),
    [
        ("low", 1.1, "regression"),
        ("low", 0.9, "improvement"),
        ("high", 0.9, "regression"),
        ("high", 1.1, "improvement"),
        ("one", 1.1, "regression"),  # all values lie above one
        ("one", 0.9, "improvement"),
    ],
)
def test_worse_depends_on_what_is_best(snapshot, best, change, status):
    before = snapshot({"net": runs(THEN)}, best=best)
    now = snapshot({"net": runs(THEN * change + NOISE)}, best=best)
    found = one(before, now)
    assert found.status == status
    assert (found.worse_by > 0) == (status == "regression")
    assert compare(before, now).exit_code == (status == "regression")


def test_the_interval_is_the_corrected_one_of_paired_differences(snapshot):
    now = THEN * 1.1 + NOISE
    found = one(snapshot({"net": runs(THEN)}), snapshot({"net": runs(now)}))
    expected = corrected_interval(now - THEN, 1 / 3)
    assert (found.worse_by, found.low, found.high) == pytest.approx(
        (expected.mean, expected.low, expected.high)
    )
    assert found.adjusted_p == pytest.approx(stats.ttest_rel(now, THEN).pvalue)
    assert (found.before, found.now) == pytest.approx((THEN.mean(), now.mean()))
    assert found.paired
    assert found.splits == 5


def test_seeds_of_a_split_are_averaged(snapshot):
    before = {(s, k): float(THEN[s] + d) for s in range(5) for k, d in enumerate((-1, 1))}
    shifted = {(s, k): before[s, k] + 0.4 + NOISE[s] for s, k in before}
    found = one(snapshot({"net": before}), snapshot({"net": shifted}))
    expected = corrected_interval(0.4 + NOISE, 1 / 3)
    assert found.splits == 5
    assert found.low == pytest.approx(expected.low)


@pytest.mark.parametrize(("share", "status"), [(0.2, "within tolerance"), (0.05, "regression")])
def test_a_sure_difference_must_also_pass_the_tolerance(snapshot, share, status):
    tolerance = Tolerance(relative=share)
    before = snapshot({"net": runs(THEN)}, tolerance=tolerance)
    assert one(before, snapshot({"net": runs(THEN * 1.1 + NOISE)})).status == status


def test_the_tolerance_of_the_baseline_file_counts(snapshot):
    strict, lax = Tolerance(absolute=0.01), Tolerance(absolute=10.0)
    worse = {"net": runs(THEN * 1.1 + NOISE)}
    before = {"net": runs(THEN)}
    assert one(snapshot(before, tolerance=strict), snapshot(worse, tolerance=lax)).status == (
        "regression"
    )
    assert one(snapshot(before, tolerance=lax), snapshot(worse, tolerance=strict)).status == (
        "within tolerance"
    )


def test_a_large_difference_must_also_be_sure(snapshot):
    now = THEN + np.array([3.0, -2.0, 2.5, -1.5, 0.5])
    found = one(snapshot({"net": runs(THEN)}), snapshot({"net": runs(now)}))
    assert found.status == "noise"
    assert found.low < 0 < found.high


def test_a_constant_difference_within_the_tolerance_is_fine(snapshot):
    """What another processor may do to every split alike: no spread, so surely not zero."""
    now = {key: value + 2.0**-20 for key, value in runs(np.round(THEN)).items()}
    before = snapshot({"net": runs(np.round(THEN))})
    found = one(before, snapshot({"net": now}))
    assert found.low == found.high > 0
    assert found.status == "within tolerance"


def test_a_constant_difference_beyond_the_tolerance_is_a_regression(snapshot):
    now = {key: value + 1.0 for key, value in runs(np.round(THEN)).items()}
    assert one(snapshot({"net": runs(np.round(THEN))}), snapshot({"net": now})).status == (
        "regression"
    )


def test_one_split_tells_nothing(snapshot):
    """Noise of training alone passes a tolerance, and there is no spread to hold it against."""
    before = snapshot({"net": {(0, 0): 4.0}})
    for value in (4.5, 4.01, 3.0):
        outcome = compare(before, snapshot({"net": {(0, 0): value}}))
        assert outcome.exit_code == 3
        assert outcome.comparisons == ()
        assert "more splits" in outcome.reasons[0]
    same = compare(before, before)
    assert (same.exit_code, same.comparisons[0].status) == (0, "identical")
    lost = compare(before, snapshot({"net": {(0, 0): None}}))
    assert lost.exit_code == 1


def test_one_split_among_others_is_not_passed_over(snapshot):
    before = snapshot({"net": {(0, 0): 4.0}, "other": runs(THEN)})
    outcome = compare(before, snapshot({"net": {(0, 0): 4.1}, "other": runs(THEN)}))
    assert outcome.exit_code == 3
    assert len(outcome.comparisons) == 1


def test_what_would_have_been_found_is_found_four_times_in_five(snapshot):
    rng = np.random.default_rng(5)
    before = snapshot({"net": runs(np.full(12, 4.0))})
    first = snapshot({"net": runs(4.0 + 0.4 * rng.normal(size=12))})
    assert np.isfinite(one(before, first).detectable)
    # Known spread: what one study estimates is wrong by a factor of its own.
    sizes = [
        one(before, snapshot({"net": runs(4.0 + 0.4 * rng.normal(size=12))})).detectable
        for _ in range(40)
    ]
    size = float(np.median(sizes))
    found = [
        one(before, snapshot({"net": runs(4.0 + size + 0.4 * rng.normal(size=12))})).status
        for _ in range(200)
    ]
    assert 0.7 <= found.count("regression") / 200 <= 0.92


def test_the_gate_says_what_it_would_have_found(snapshot):
    rng = np.random.default_rng(6)
    many, few = (
        {"net": runs(4.0 + 0.2 * rng.normal(size=n)), "b": runs(4.0 + 0.2 * rng.normal(size=n))}
        for n in (20, 4)
    )
    shares = []
    for values in (many, few):
        then = {name: runs(np.full(len(own), 4.0)) for name, own in values.items()}
        outcome = compare(snapshot(then), snapshot(values))
        (note,) = [note for note in outcome.notes if "four times in five" in note]
        shares.append(max(comparison.detectable for comparison in outcome.comparisons))
        assert f"{shares[-1] / 4.0:.0%} in all of them" in note
    assert shares[1] > 2 * shares[0]


def test_other_rows_under_the_same_number_are_not_paired(snapshot):
    now = THEN[::-1] + 2.0
    before = snapshot({"net": runs(THEN)})
    outcome = compare(before, snapshot({"net": runs(now)}, splits=[f"other {k}" for k in range(5)]))
    (found,) = outcome.comparisons
    expected = unpaired_interval(THEN, now, (Correction(1 / 3),) * 2)
    assert not found.paired
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))
    assert found.adjusted_p == pytest.approx(stats.ttest_ind(THEN, now, equal_var=False).pvalue)
    assert found.status == "regression"
    assert any("not paired" in note for note in outcome.notes)


def test_other_seeds_on_the_same_splits_are_not_paired(snapshot):
    before = {(k, k): float(value) for k, value in enumerate(THEN)}
    now = {(k, k + 5): float(value) for k, value in enumerate(THEN)}
    assert not one(snapshot({"net": before}), snapshot({"net": now})).paired


def test_fewer_splits_are_paired_on_those_in_both(snapshot):
    now = THEN[:3] * 1.5 + NOISE[:3]
    found = one(snapshot({"net": runs(THEN)}), snapshot({"net": runs(now)}))
    assert found.paired
    assert found.splits == 3
    assert found.before == pytest.approx(THEN[:3].mean())
    assert "2 splits or seeds fewer" in found.note


def test_a_value_that_is_gone_is_a_regression(snapshot):
    now = runs(THEN) | {(2, 2): None, (4, 4): None}
    found = one(snapshot({"net": runs(THEN)}), snapshot({"net": now}))
    assert found.status == "regression"
    assert found.worse_by == 0
    assert found.note == "no usable value any more on split 2 seed 2, split 4 seed 4"


@pytest.mark.parametrize("splits", [None, ["a", "b", "c", "d", "e"]])
def test_a_method_without_any_value_left_is_a_regression(snapshot, splits):
    now = snapshot({"net": dict.fromkeys(runs(THEN))}, splits=splits)
    outcome = compare(snapshot({"net": runs(THEN)}), now)
    assert outcome.comparisons[0].status == "regression"
    assert "and 1 more" in outcome.comparisons[0].note
    assert outcome.exit_code == 1


def test_values_that_the_baseline_lacked_are_no_regression(snapshot):
    patchy = snapshot({"net": runs(THEN) | {(1, 1): None}})
    found = one(patchy, snapshot({"net": runs(THEN)}))
    assert found.status == "identical"
    assert found.splits == 4


# Multiplicity


def test_one_difference_among_many_needs_more_to_count(snapshot):
    """The same difference is a regression alone, and noise among forty that were compared."""
    now = THEN + 0.45 + np.array([0.2, -0.25, 0.1, 0.05, -0.1])
    assert one(snapshot({"net": runs(THEN)}), snapshot({"net": runs(now)})).status == "regression"
    draw = np.random.default_rng(0)
    others = {f"m{k}": runs(THEN + draw.normal(0, 0.3, 5)) for k in range(40)}
    before = snapshot({"net": runs(THEN)} | {name: runs(THEN) for name in others})
    outcome = compare(before, snapshot({"net": runs(now)} | others))
    found = next(c for c in outcome.comparisons if c.place[3] == "net")
    assert found.status == "noise"
    assert found.low > 0
    assert "all comparisons made" in found.note


def test_what_is_identical_does_not_count_among_the_comparisons(snapshot):
    now = THEN + 0.45 + np.array([0.2, -0.25, 0.1, 0.05, -0.1])
    same = {f"m{k}": runs(THEN) for k in range(40)}
    before = snapshot({"net": runs(THEN)} | same)
    outcome = compare(before, snapshot({"net": runs(now)} | same))
    assert outcome.exit_code == 1
    assert len(outcome.of("identical")) == 40


def false_alarms(found, studies):
    """Whether the number of alarms fits a chance of at most 5 % (exact, one-sided at 0.1 %)."""
    return stats.binomtest(found, studies, 0.05, alternative="greater").pvalue > 0.001


SLOW = pytest.mark.slow


@pytest.mark.parametrize(
    ("splits", "methods", "studies"),
    [
        (3, 8, 200),
        (10, 8, 200),
        pytest.param(2, 24, 400, marks=SLOW),
        pytest.param(3, 24, 400, marks=SLOW),
        pytest.param(5, 24, 400, marks=SLOW),
        pytest.param(10, 24, 400, marks=SLOW),
    ],
)
def test_training_drawn_anew_seldom_fails_the_gate(snapshot, splits, methods, studies):
    draw = np.random.default_rng([splits, methods])
    alarms = 0
    for _ in range(studies):
        level = draw.normal(4, 0.5, (methods, splits))
        # Half of the noise is common to all methods: their comparisons depend on each other.
        noise = draw.normal(0, 0.4, (2, 1, splits)) + draw.normal(0, 0.4, (2, methods, splits))
        then, now = (
            snapshot({f"m{k}": runs(values) for k, values in enumerate(level + part)})
            for part in noise
        )
        alarms += compare(then, now).exit_code
    print(f"{alarms} false alarms in {studies} gates")
    assert false_alarms(alarms, studies)


def test_methods_that_err_on_rows_of_their_own_seldom_fail_the_gate(snapshot):
    """Copies that differ row by row, as the verdicts' own calibration makes them."""
    studies = 200
    truth = Truth(splits=10, trial_sd=0.05)
    fronts = simulate_fronts(truth, studies, seed=3)
    alarms = 0
    for _, study in fronts.groupby("dataset"):
        then, now = (
            snapshot({"net": runs(part.sort_values("split")["error"])})
            for _, part in study.groupby("method")
        )
        alarms += compare(then, now).exit_code
    assert false_alarms(alarms, studies)


@pytest.mark.parametrize("splits", [3, 5, 10])
def test_a_tenth_more_error_on_every_split_is_found(snapshot, splits):
    draw = np.random.default_rng(splits)
    found = 0
    for _ in range(100):
        level = draw.normal(4, 0.5, (6, splits))
        now = level * (1 + draw.normal(0, 0.005, level.shape))
        now[0] = level[0] * (1.1 + draw.normal(0, 0.005, splits))
        then, today = (
            snapshot({f"m{k}": runs(v) for k, v in enumerate(values)}) for values in (level, now)
        )
        found += compare(then, today).exit_code
    assert found >= 80


# What cannot be compared


@dataclass
class Case:
    name: str
    changes: dict
    words: str


FACTS = {"ratio": 0.3, "splits": tuple(f"rows {k}" for k in range(5))}
CASES = [
    Case(
        "data",
        {
            "datasets": {
                "toy": DatasetFacts(
                    digest="1" * 64, tolerances={"y": {"rmse": Tolerance(absolute=1.0)}}, **FACTS
                )
            }
        },
        "the data of 'toy' differ: digest 000000000000 then, 111111111111 now",
    ),
    Case(
        "protocol",
        {"protocol": ProtocolFacts(name="paper", options={}, selection="test")},
        "the protocol differs: 'honest' then, 'paper' now",
    ),
    Case(
        "options",
        {"protocol": ProtocolFacts(name="honest", options={"folds": 7}, selection="validation")},
        "the protocol differs: folds = None then, 7 now",
    ),
    Case(
        "selection",
        {"protocol": ProtocolFacts(name="honest", options={}, selection="test")},
        "the protocol differs: selection on validation then, on test now",
    ),
    Case("metric", {"metrics": {}, "records": ()}, "the run has no metric 'rmse'"),
    Case("direction", {"metrics": {"rmse": "high"}}, "'low' then, 'high' now"),
    Case("method", {"records": ()}, "the run has no method 'net' on 'toy'"),
    Case("dataset", {"datasets": {}, "records": ()}, "the run has no dataset 'toy'"),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_nothing_comparable_says_which(snapshot, case):
    values = {"net": runs(THEN)}
    outcome = compare(snapshot(values), snapshot(values, **case.changes))
    assert outcome.exit_code == 3
    assert case.words in outcome.reasons[0]


def test_a_point_that_is_gone_says_which(snapshot):
    before = snapshot({"net": runs(THEN)})
    moved = before.records[0].model_copy(update={"point": "fairest within reach"})
    outcome = compare(before, before.model_copy(update={"records": (moved,)}))
    assert "no 'most accurate' point of 'net' for 'y' by 'sex'" in outcome.reasons[0]


def test_a_baseline_without_values_is_nothing_to_compare_with(snapshot):
    empty = snapshot({"net": {(0, 0): None}})
    outcome = compare(empty, snapshot({"net": {(0, 0): 4.0}}))
    assert outcome.exit_code == 3
    assert "the baseline has no usable value" in outcome.reasons[0]


def test_the_rest_is_compared_where_one_method_is_gone(snapshot):
    before = snapshot({"net": runs(THEN), "gone": runs(THEN)})
    outcome = compare(before, snapshot({"net": runs(THEN), "new": runs(THEN)}))
    assert outcome.exit_code == 0
    assert outcome.reasons == ("the run has no method 'gone' on 'toy'",)
    assert any("'new' on 'toy'" in note for note in outcome.notes)


def test_versions_that_differ_are_named(snapshot):
    before = snapshot({"net": runs(THEN)})
    other = snapshot({"net": runs(THEN)}, versions={"torch": "2.10", "numpy": "2.1"}, study="x")
    (note,) = compare(before, other).notes
    assert note == "versions differ: numpy absent then, 2.1 now; torch 2.9 then, 2.10 now"
    (note,) = compare(before, snapshot({"net": runs(THEN)}, study="def")).notes
    assert "the study's hash differs (abc then, def now)" in note


# The unpaired interval


def test_unpaired_without_shared_rows_is_welch():
    draw = np.random.default_rng(1)
    before, now = draw.normal(0, 1, 6), draw.normal(1, 3, 9)
    found = unpaired_interval(before, now, (Correction(0.0),) * 2)
    expected = stats.ttest_ind(now, before, equal_var=False)
    limits = expected.confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((limits.low, limits.high))
    assert found.p == pytest.approx(expected.pvalue)


def test_shared_rows_widen_the_unpaired_interval():
    draw = np.random.default_rng(1)
    before, now = draw.normal(0, 1, 6), draw.normal(1, 3, 9)
    narrow, wide = (unpaired_interval(before, now, (Correction(r),) * 2) for r in (0.0, 0.5))
    assert wide.low < narrow.low < narrow.high < wide.high


def test_splits_that_say_less_have_fewer_degrees_of_freedom(snapshot):
    now = THEN + 0.3 + NOISE
    for splits in (None, [f"other {k}" for k in range(5)]):
        lengths = []
        for df in (None, 2.5):
            found = one(
                snapshot({"net": runs(THEN)}, df=df),
                snapshot({"net": runs(now)}, df=df, splits=splits),
            )
            lengths.append(found.high - found.low)
        assert lengths[1] > 1.1 * lengths[0]


def test_unpaired_values_without_spread_have_an_exact_difference():
    found = unpaired_interval(np.array([1.0, 1.0]), np.array([2.0, 2.0]), SHARED)
    assert (found.low, found.mean, found.high, found.p) == (1.0, 1.0, 1.0, 0.0)


def test_unpaired_tiny_spreads_keep_their_degrees_of_freedom():
    tiny = np.array([1.0, 1.0 + 1e-160, 1.0]) * 1e-160 + np.array([0, 1e-170, 2e-170])
    found = unpaired_interval(tiny, tiny * 2, SHARED)
    assert np.isfinite([found.low, found.high, found.p]).all()
