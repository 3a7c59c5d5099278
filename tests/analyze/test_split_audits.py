import numpy as np
import pytest

from fairbench.analyze import audit_splits
from fairbench.dataset import Protected
from fairbench.fold import Split
from fairbench.store import Rows


def rows_of(tests, size, clusters=None):
    """Rows whose splits have these test sets; the next tenth validates, the others train."""
    splits = []
    for test in tests:
        others = np.setdiff1d(np.arange(size), test)
        cut = len(others) // 8
        splits.append(Split(others[cut:], others[:cut], np.asarray(test)))
    groups = np.arange(size) % 2
    protected = Protected("sex", "binary", groups * 1.0, groups, ("f", "m"))
    known = None if clusters is None else np.asarray(clusters)
    return Rows(np.zeros((size, 1)), (protected,), known, tuple(splits))


def concerns(rows, aim=0.2):
    found = audit_splits("toy", rows, aim)
    return [f.text for f in found if f.check == "splits" and f.level == "warning"]


FIFTHS = np.arange(100).reshape(5, 20)


def test_folds_that_take_turns_are_no_concern():
    for clusters in (None, np.arange(100) // 5):
        assert concerns(rows_of(FIFTHS, 100, clusters)) == []
        assert concerns(rows_of(FIFTHS[:3], 100, clusters)) == []  # too few to test every row
    rng = np.random.default_rng(0)
    assert concerns(rows_of([*FIFTHS, *rng.permutation(100).reshape(5, 20)], 100)) == []


def test_one_split_asked_for_ten_times():
    found = concerns(rows_of([FIFTHS[0]] * 10, 100, np.arange(100) // 10))
    assert "only 1 of 10 splits have a test set of their own" in found[0]
    assert "100% of their test rows in common" in found[1]
    assert "8 of 10 clusters are in no test set of the 10 splits" in found[2]
    assert len(found) == 3


def test_a_repeated_test_set_among_others():
    (text,) = concerns(rows_of([*FIFTHS, FIFTHS[2]], 100))
    assert text.startswith("only 5 of 6 splits")


def test_splits_that_are_nearly_one():
    tests = [np.append(np.arange(19), 19 + k) for k in range(10)]
    overlap, never = concerns(rows_of(tests, 100))
    assert "95% of their test rows" in overlap
    assert "independent random splits would have 20%" in overlap
    assert "71 of 100 rows are in no test set" in never


def test_a_cluster_too_large_for_its_fold():
    clusters = np.append(np.zeros(800, dtype=int), 1 + np.arange(180) // 4)
    tests = [np.arange(800), *(800 + np.arange(180).reshape(4, 45))]
    large, share = concerns(rows_of(tests, 980, clusters))
    assert "one cluster has 800 of 980 rows (82%), more than the 20%" in large
    assert share == "test sets have 4.6% to 81.6% of the rows, where 20.0% are aimed at"


def test_test_sets_far_from_their_aim():
    (text,) = concerns(rows_of([np.arange(30), np.arange(30, 60)], 100), 0.1)
    assert "30.0% to 30.0% of the rows, where 10.0% are aimed at" in text
    assert concerns(rows_of([np.arange(30), np.arange(30, 60)], 100), None) == []


@pytest.mark.parametrize(("cut", "torn"), [([101, 151], 2), ([100, 150], 0)])
def test_clusters_that_straddle_a_split(cut, torn):
    rows = rows_of([], 200, np.repeat(np.arange(100), 2))
    split = Split(*np.array_split(np.arange(200), cut))
    whole = Rows(rows.targets, rows.protected, rows.clusters, (split,))
    (found,) = [f for f in audit_splits("toy", whole) if f.check == "clusters"]
    assert found.level == ("warning" if torn else "fine")
    assert f"up to {torn} clusters" in found.text if torn else found.text == "stay whole"
