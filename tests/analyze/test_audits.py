import json
from dataclasses import asdict, replace

import numpy as np

from fairbench.analyze import Run, audit_dataset, audit_rows
from fairbench.dataset import Card, Dataset, Protected
from fairbench.fold import Split
from fairbench.store import Rows


def dataset(rows=200, clusters=None, features=None, seed=0, kind="binary"):
    rng = np.random.default_rng(seed)
    groups = (np.arange(rows) // 2 % 2).astype(np.int64)
    x = rng.normal(size=(rows, 3)) if features is None else features
    values = groups.astype(float) if kind == "binary" else rng.normal(size=rows) + 3 * groups
    return Dataset(
        name="toy",
        features=x,
        feature_names=("u", "v", "w"),
        targets=rng.normal(size=(rows, 1)),
        target_names=("y",),
        protected=(Protected("sex", kind, values, groups, ("f", "m")),),
        clusters=clusters,
        cluster_name="" if clusters is None else "person",
        card=Card("toy", "", ""),
    )


def thirds(rows):
    cut = np.array_split(np.arange(rows), 3)
    return [Split(*cut)]


def finding(findings, check):
    (found,) = [f for f in findings if f.check == check]
    return found


def test_a_sound_dataset_has_no_warning():
    data = dataset()
    assert {f.level for f in audit_dataset(data, thirds(200))} == {"fine"}


def test_duplicates_across_a_split():
    data = dataset()
    x, y = data.features.copy(), data.targets.copy()
    x[190:200], y[190:200] = x[:10], y[:10]
    found = finding(audit_dataset(replace(data, features=x, targets=y), thirds(200)), "duplicates")
    assert found.level == "warning"
    assert found.text.startswith(f"10 of 66 test rows ({10 / 66:.1%}) also stand among")
    x[150:160], y[150:160] = x[140:150], y[140:150]  # both on test: no matter
    again = finding(audit_dataset(replace(data, features=x, targets=y), thirds(200)), "duplicates")
    assert again.text == found.text


def test_few_duplicates_are_a_count_and_never_a_share_of_nothing():
    data = dataset(rows=9000)
    x, y = data.features.copy(), data.targets.copy()
    x[8999], y[8999] = x[0], y[0]
    found = finding(audit_dataset(replace(data, features=x, targets=y), thirds(9000)), "duplicates")
    assert found.text.startswith("1 of 3,000 test rows also stand among")
    assert found.level == "warning"


def test_missing_features_are_equal_to_each_other_and_hide_no_twin():
    data = dataset()
    x, y = data.features.copy(), data.targets.copy()
    x[:, 1] = y[:, 0]
    x[::2, 1] = np.nan
    x[190], y[190] = x[0], y[0]
    found = audit_dataset(replace(data, features=x, targets=y, imputed=((1,),)), thirds(200))
    assert finding(found, "duplicates").text.startswith("1 of 66 test rows")
    assert "(1.00)" in finding(found, "leakage").text
    assert "AUC" in finding(found, "predictable").text


def test_what_reading_a_table_did_is_an_audit_line():
    data = dataset()
    data = replace(data, card=replace(data.card, notices=("12 of 60 rows are left out",)))
    found = finding(audit_dataset(data, thirds(200)), "table")
    assert (found.level, found.text) == ("warning", "12 of 60 rows are left out")


def test_features_that_reveal_the_attribute():
    data = dataset()
    revealing = data.features.copy()
    revealing[:, 1] = data.protected[0].values + np.random.default_rng(1).normal(0, 0.3, 200)
    found = finding(audit_dataset(replace(data, features=revealing), thirds(200)), "predictable")
    assert found.level == "warning"
    assert "AUC 0.9" in found.text
    assert "AUC 0." in finding(audit_dataset(data, thirds(200)), "predictable").text


def test_a_continuous_attribute_by_r2():
    data = dataset(kind="continuous")
    revealing = data.features.copy()
    revealing[:, 0] = data.protected[0].values
    found = finding(audit_dataset(replace(data, features=revealing), thirds(200)), "predictable")
    assert (found.level, "R² 1.00" in found.text) == ("warning", True)
    assert finding(audit_dataset(data, thirds(200)), "predictable").level == "fine"


def test_predictability_does_not_come_from_knowing_the_person():
    # Each person has a fingerprint that says nothing of the groups of others.
    people = np.repeat(np.arange(40), 10)
    rng = np.random.default_rng(4)
    prints = rng.normal(size=(40, 60))[people]
    groups = (people % 2).astype(np.int64)
    base = dataset(rows=400)
    data = replace(
        base,
        features=prints,
        feature_names=tuple(f"f{i}" for i in range(60)),
        protected=(Protected("sex", "binary", groups * 1.0, groups, ("f", "m")),),
    )
    apart = replace(data, clusters=people, cluster_name="person")
    assert finding(audit_dataset(data, thirds(400)), "predictable").level == "warning"
    assert finding(audit_dataset(apart, thirds(400)), "predictable").level == "fine"


def test_too_few_members_to_tell():
    groups = np.zeros(30, dtype=np.int64)
    groups[0] = 1
    base = dataset(rows=30)
    data = replace(base, protected=(Protected("sex", "binary", groups * 1.0, groups, ("f", "m")),))
    assert "too few" in finding(audit_dataset(data, thirds(30)), "predictable").text


def test_a_feature_that_is_nearly_the_target():
    data = dataset()
    leaking = data.features.copy()
    leaking[:, 2] = np.exp(data.targets[:, 0])  # any monotone copy
    found = finding(audit_dataset(replace(data, features=leaking), thirds(200)), "leakage")
    assert found.level == "warning"
    assert "w (1.00)" in found.text
    constant = data.features * 0.0
    assert (
        finding(audit_dataset(replace(data, features=constant), thirds(200)), "leakage").level
        == "fine"
    )


def rows_of(data, splits):
    return Rows(data.targets, data.protected, data.clusters, tuple(splits))


def test_groups_too_small_for_the_claim():
    data = dataset()
    small = Split(np.arange(150), np.arange(150, 170), np.arange(170, 200))
    found = finding(audit_rows("toy", rows_of(data, [*thirds(200), small])), "groups")
    assert found.level == "warning"
    assert "has only 14 test rows" in found.text or "has only 15 test rows" in found.text
    assert finding(audit_rows("toy", rows_of(data, thirds(200))), "groups").level == "fine"


def test_many_rows_of_few_people():
    people = np.arange(200) // 20
    groups = (people % 2).astype(np.int64)
    data = replace(
        dataset(clusters=people),
        protected=(Protected("sex", "binary", groups * 1.0, groups, ("f", "m")),),
    )
    split = Split(np.arange(100), np.arange(100, 120), np.arange(120, 200))
    found = finding(audit_rows("toy", rows_of(data, [split])), "groups")
    assert (found.level, "from 2 clusters" in found.text) == ("warning", True)


def test_audits_of_a_run(make_run, metrics):
    folder = make_run(broken=[("tuned", 0.5, 0), ("tuned", 2.0, 1)], rows=300)
    stored = audit_dataset(dataset(), thirds(200))
    manifest = dict(folder.read_manifest())
    manifest["audits"] = json.loads(json.dumps([asdict(f) for f in stored]))
    folder.write_manifest(manifest)
    found = Run(folder.path).audits()
    made = {"duplicates", "constant", "predictable", "leakage"}
    assert made | {"splits", "groups", "trials"} == set(found["check"])
    lost = found.query("check == 'trials'")
    assert lost["text"].tolist() == ["tuned: 2 diverged of 9 trials"]
    assert lost["level"].tolist() == ["warning"]
