"""The baseline file: what is written is read, and what is damaged is told."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fairbench.errors import BaselineError
from fairbench.gate import Snapshot, Tolerance, read, write

VALUES = {
    "net": {(0, 0): 4.1, (1, 1): 0.1 + 0.2, (10, 2): None},
    'a "name" | <b>': {(0, 0): 1e-300},
}


@pytest.fixture
def file(snapshot, tmp_path) -> Path:
    path = tmp_path / "baseline.json"
    write(snapshot(VALUES), path)
    return path


@pytest.fixture
def document(file):
    return json.loads(file.read_text())


def rewrite(file, document):
    file.write_text(json.dumps(document))
    return file


def complaint(file):
    with pytest.raises(BaselineError) as found:
        read(file)
    assert found.value.where
    assert found.value.hint
    assert found.value.exit_code == 2
    return found.value


def test_what_is_written_is_read(snapshot, file):
    assert read(file) == snapshot(VALUES)


def test_equal_snapshots_give_equal_bytes_sorted_one_value_per_line(snapshot, file, tmp_path):
    write(snapshot(VALUES), tmp_path / "again.json")
    text = file.read_text()
    assert (tmp_path / "again.json").read_text() == text
    assert text == json.dumps(json.loads(text), indent=1, sort_keys=True) + "\n"
    assert '    "split 1, seed 1": 0.30000000000000004,\n' in text
    assert '"relative": 0.02\n' in text
    assert "absolute" not in text


def test_tolerances_can_be_edited(file, document):
    document["datasets"]["toy"]["tolerances"]["y"]["rmse"] = {"absolute": 0.5}
    found = read(rewrite(file, document))
    assert found.datasets["toy"].tolerances["y"]["rmse"].limit(4.0) == 0.5


@pytest.mark.parametrize(
    ("tolerance", "before", "limit"),
    [
        (Tolerance(relative=0.1), 4.0, 0.4),
        (Tolerance(relative=0.1), -4.0, 0.4),
        (Tolerance(relative=0), 4.0, 0.0),
        (Tolerance(absolute=0), 4.0, 0.0),
        (Tolerance(absolute=2), 4.0, 2.0),
    ],
)
def test_limits(tolerance, before, limit):
    assert tolerance.limit(before) == pytest.approx(limit)


def put(*path, value):
    def edit(document):
        place = document
        for key in path[:-1]:
            place = place[key]
        place[path[-1]] = value

    return edit


def drop(*path):
    def edit(document):
        place = document
        for key in path[:-1]:
            place = place[key]
        del place[path[-1]]

    return edit


TOLERANCE = ("datasets", "toy", "tolerances", "y", "rmse")
EDITS = [
    (put("reech", value=1), "unknown key 'reech'", "did you mean 'reach'"),
    (put("records", 0, "metrc", value=1), "unknown key 'metrc'", "did you mean 'metric'"),
    (put("protocol", "nam", value=1), "unknown key 'nam'", "did you mean 'name'"),
    (put("datasets", "toy", "diges", value=""), "unknown key 'diges'", "did you mean 'digest'"),
    (put(*TOLERANCE, "relativ", value=1), "unknown key 'relativ'", "did you mean 'relative'"),
    (drop("reach"), "the key 'reach' is missing", "fairbench baseline"),
    (drop("records", 0, "values"), "the key 'values' is missing", ""),
    (drop("datasets", "toy"), "no dataset 'toy'", ""),
    (put("metrics", value={}), "no metric 'rmse'", ""),
    (put("datasets", "toy", "tolerances", value={}), "no tolerance for 'rmse'", ""),
    (put(*TOLERANCE, value={}), 'either "relative" or "absolute"', ""),
    (put(*TOLERANCE, value={"relative": 1, "absolute": 1}), 'either "relative"', ""),
    (put(*TOLERANCE, "relative", value=-0.1), "greater than or equal to 0", ""),
    (put(*TOLERANCE, "relative", value="0.1"), "valid number", ""),
    (put("metrics", "rmse", value="lowest"), "'low', 'high' or 'one'", ""),
    (put("datasets", "toy", "ratio", value=-0.1), "greater than or equal to 0", ""),
    (put("records", 0, "values", value={"split 0": 1.0}), "does not read 'split K, seed S'", ""),
    (put("records", 0, "values", value={"split 99, seed 0": 1.0}), "with 11 splits", ""),
    (put("records", 0, "values", value={"split ٣, seed 0": 1.0}), "does not read", ""),
    (put("records", 0, "point", value="best"), "'most accurate'", ""),
    (put("format", value=2), "has format 2; this fairbench reads 1", "fairbench baseline"),
    (drop("format"), "has format None", ""),
]


@pytest.mark.parametrize(("edit", "what", "hint"), EDITS)
def test_what_is_wrong_is_named(file, document, edit, what, hint):
    edit(document)
    error = complaint(rewrite(file, document))
    assert what in error.what
    assert hint in error.hint
    assert str(file) in error.where


def test_the_place_of_an_unknown_key_is_named(file, document):
    put("records", 1, "extra", value=1)(document)
    assert complaint(rewrite(file, document)).where == f"{file}, records.1.extra"


def test_a_record_twice_is_refused(file, document):
    document["records"].append(document["records"][0])
    assert "two records" in complaint(rewrite(file, document)).what


@pytest.mark.parametrize(
    "content",
    [b"", b"\xff\xfe\x00", b"[]", b"null", b"[" * 100_000, b'{"format": 1', b'{"format": NaN}',
     b'{"format": 1, "reach": 1e999}', b"\xef\xbb\xbf{}", b'{"format": "\\ud800"}',
     b'{"format": ' + b"9" * 5000 + b"}"],
    ids=lambda content: repr(content[:20]),
)  # fmt: skip
def test_garbage_is_told(file, content):
    file.write_bytes(content)
    complaint(file)


def test_a_file_cut_off_anywhere_is_told(file):
    content = file.read_bytes()
    for end in range(0, len(content) - 2, 7):  # without its last newline it is whole
        file.write_bytes(content[:end])
        complaint(file)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
QUIET = settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@QUIET
@given(content=st.binary(max_size=200))
def test_no_bytes_crash_the_reader(tmp_path, content):
    path = tmp_path / "any.json"
    path.write_bytes(content)
    complaint(path)


@QUIET
@given(data=st.data())
def test_no_value_anywhere_crashes_the_reader(tmp_path, snapshot, data):
    """Any part of a sound file replaced by any JSON: read, or refused with a message."""
    path = tmp_path / "any.json"
    write(snapshot(VALUES), path)
    document = place = json.loads(path.read_text())
    for _ in range(data.draw(st.integers(1, 6))):
        keys = range(len(place)) if isinstance(place, list) else list(place)
        key = data.draw(st.sampled_from(keys))
        parent, place = place, place[key]
        if not isinstance(place, dict | list) or not place:
            break
    parent[key] = data.draw(JSON)
    path.write_text(json.dumps(document))
    try:
        found = read(path)
    except BaselineError as refused:
        found = refused
    # No surrogates are left in what is read or told: it can be printed.
    str(found).encode()
    assert isinstance(found, Snapshot) or str(path) in found.where


def test_no_file_and_a_folder_are_told(tmp_path):
    assert "cannot be read" in complaint(tmp_path / "absent.json").what
    assert "cannot be read" in complaint(tmp_path).what


def test_a_place_that_cannot_be_written_is_named(snapshot, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(BaselineError, match="cannot be written") as found:
        write(snapshot(VALUES), tmp_path / "file" / "baseline.json")
    assert "--out" in found.value.hint


def test_a_file_that_may_not_be_read_is_told(file, monkeypatch):
    def refuse(self, *_args, **_more):
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "open", refuse)  # root, who often runs tests, may read everything
    monkeypatch.setattr(Path, "read_bytes", refuse)
    monkeypatch.setattr(Path, "read_text", refuse)
    assert "cannot be read" in complaint(file).what


def test_a_device_is_not_read():
    with pytest.raises(BaselineError, match="no regular file"):
        read(Path("/dev/zero"))
