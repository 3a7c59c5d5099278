"""Bytes of files: encodings, what is no file, and limits that are met in time."""

import os

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fairbench.data import content, csv_file, limits, open_dataset
from fairbench.dataset import DatasetSpec
from fairbench.errors import DataError, visible

TEXT = "größe;sex;y\n1,5;weiblich;2\n2,5;männlich;3\n3,25;weiblich;4\n"


def opened(path, **spec):
    return open_dataset(DatasetSpec(str(path), ("y",), ("sex",), **spec))


def refused(path, **spec) -> DataError:
    with pytest.raises(DataError) as caught:
        opened(path, **spec)
    assert caught.value.hint
    return caught.value


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_marked_encodings_are_recognised(tmp_path, encoding):
    (tmp_path / "t.csv").write_bytes(TEXT.encode(encoding))
    dataset = opened(tmp_path / "t.csv")
    assert dataset.feature_names == ("größe",)
    assert dataset.protected[0].labels == ("männlich", "weiblich")


@pytest.mark.parametrize("encoding", ["cp1252", "latin-1", "utf-16-le", "utf-16-be"])
def test_other_encodings_are_read_when_named(tmp_path, encoding):
    (tmp_path / "t.csv").write_bytes(TEXT.encode(encoding))
    assert "--encoding" in refused(tmp_path / "t.csv").hint
    assert opened(tmp_path / "t.csv", encoding=encoding).feature_names == ("größe",)


def test_a_wrong_encoding_names_the_line(tmp_path):
    (tmp_path / "t.csv").write_bytes(b"x,sex,y\n1,F,2\n2,\xe9,3\n")
    error = refused(tmp_path / "t.csv")
    assert "not UTF-8 text: byte 0xe9" in error.what
    assert error.where.endswith("line 3")
    assert "cp1252" in error.hint
    assert "not ascii text" in refused(tmp_path / "t.csv", encoding="ascii").what
    assert "no encoding is called 'klingon'" in refused(tmp_path / "t.csv", encoding="klingon").what


@pytest.mark.parametrize("address", ["https://example.org/t.csv", "s3://bucket/t.parquet"])
def test_nothing_is_fetched_from_a_url(address):
    error = refused(address)
    assert "nothing is fetched" in error.what
    assert error.where == address  # a path keeps one of the two slashes
    assert "download it first" in error.hint


def test_a_pipe_is_not_opened(tmp_path):
    os.mkfifo(tmp_path / "t.csv")
    assert "t.csv is a pipe, not an ordinary file" in refused(tmp_path / "t.csv").what


def test_a_device_and_a_folder_are_not_read(tmp_path):
    assert "is a device" in refused("/dev/zero").what
    (tmp_path / "t.csv").mkdir()
    assert "is a folder" in refused(tmp_path / "t.csv").what


@pytest.mark.parametrize(("size", "what"), [(1 << 30, "a NUL byte at 0"), (1 << 40, "4 GiB")])
def test_sparse_files_are_refused_by_their_first_bytes_or_size(tmp_path, size, what):
    with (tmp_path / "t.csv").open("wb") as stream:
        try:
            stream.truncate(size)
        except OSError:
            pytest.skip("this file system holds no such sparse file")
    assert what in refused(tmp_path / "t.csv").what


def test_what_unpacks_beyond_the_limit_is_refused(tmp_path, monkeypatch):
    import gzip

    monkeypatch.setattr(content, "MOST_BYTES", 1000)
    (tmp_path / "t.csv.gz").write_bytes(gzip.compress(b"x,sex,y\n" + b"1,F,2\n" * 1000))
    assert "unpacked, the file takes more than" in refused(tmp_path / "t.csv.gz").what


def test_a_parquet_file_of_very_many_rows_is_refused_before_they_are_read(tmp_path, monkeypatch):
    column = pa.array(np.zeros(200_000, dtype=np.int8))
    pq.write_table(pa.table({"x": column, "sex": column, "y": column}), tmp_path / "t.parquet")
    assert (tmp_path / "t.parquet").stat().st_size < 3_000  # a few bytes stand for all cells
    monkeypatch.setattr(limits, "MOST_ROWS", 100_000)
    monkeypatch.setattr(pq.ParquetFile, "read", lambda *_: pytest.fail("was read"))
    what = refused(tmp_path / "t.parquet").what
    assert "200,000 rows, above the limit of 100,000" in what


def test_very_many_columns_are_refused_at_once(tmp_path):
    names = ",".join(f"c{i}" for i in range(100_000))
    (tmp_path / "t.csv").write_text(f"{names}\n{',' * 99_999}\n")
    assert "100,000 columns, above the limit of 20,000" in refused(tmp_path / "t.csv").what


def test_columns_up_to_the_limit_cost_linear_work(tmp_path, monkeypatch):
    # Counted in comparisons of names rather than in seconds.
    class Name(str):
        __slots__ = ()
        compared = 0

        def __eq__(self, other):
            Name.compared += 1
            return str.__eq__(self, other)

        __hash__ = str.__hash__

    names = [Name(f"c{i}") for i in range(2000)]
    from fairbench.data.choose import choose
    from fairbench.data.tables import column_names

    column_names(names, "t")
    choose(DatasetSpec("t", (names[0],), (names[1],)), names, None, "t")
    assert Name.compared < 20 * len(names)


def test_rows_times_columns_are_limited(monkeypatch):
    with pytest.raises(DataError, match="1,000,000,000 cells, above the limit of 500,000,000"):
        limits.check_extent(10_000_000, 100, "t.csv")


def test_a_million_digits_in_a_cell_are_no_number_that_can_be_used(tmp_path):
    rows = "".join(f"{i},{'FM'[i % 2]},{i * 2}\n" for i in range(1, 30))
    (tmp_path / "t.csv").write_text(f"x,sex,y\n{'9' * 1_000_000},F,1\n{rows}")
    assert dict(opened(tmp_path / "t.csv").card.imputed) == {"x": 1}
    (tmp_path / "t.csv").write_text(f'x,sex,y\n{"9" * 1_000_000},F "x" y,1\n{rows}')
    assert "field larger than field limit" in refused(tmp_path / "t.csv").what
    (tmp_path / "t.csv").write_text(f"x,sex,y\n{'9' * 100_000},F,1\n{rows}")
    assert dict(opened(tmp_path / "t.csv").card.imputed) == {"x": 1}
    (tmp_path / "t.csv").write_text(f"x,sex,y\n1,F,{'9' * 100_000}\n{rows}")
    assert "infinite values: 1 of 30" in refused(tmp_path / "t.csv").what


def test_a_file_whose_name_is_no_text_has_a_title_that_is(tmp_path):
    path = os.fsdecode(os.fsencode(tmp_path) + b"/\xff\x1b[31m.csv")
    with open(os.fsencode(path), "w") as stream:  # noqa: PTH123  # a name of raw bytes
        stream.write("x,sex,y\n1,F,2\n2,M,3\n")
    dataset = opened(path)
    assert dataset.name == dataset.card.title == r"\udcff\x1b[31m.csv"
    error = refused(path, cluster="z")
    str(error).encode()
    assert "\x1b" not in str(error)


def test_control_characters_in_cells_reach_no_message(tmp_path):
    (tmp_path / "t.csv").write_text("x,sex,y\n1,F,\x1b[31m2\n2,M,3\n")
    error = refused(tmp_path / "t.csv")
    assert "\x1b" not in str(error)
    assert r"\x1b[31m2" in str(error)


def test_visible_leaves_ordinary_text_alone():
    assert visible("größe → 5 % – naïve 日本") == "größe → 5 % – naïve 日本"
    assert visible("a\x1b\u202eb\ud800\n", keep="\n") == "a\\x1b\\u202eb\\ud800\n"


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ('x,sex,y\n1, "F",2\n2,"M" ,3\n', None),
        ('x,sex,y\n"1","F",2\n"2","M",3\n', "x,sex,y\n1,F,2\n2,M,3\n"),
        ('x,sex,y\n1,"F ""a""",2\n2,"M,\nx",3\n', None),
        ('x;sex;y\n1;5" pipe;2\n2;b;3\n', None),
    ],
)
def test_both_readers_agree_where_both_read(text, same, monkeypatch):
    def cells(text):
        table = csv_file.csv_table(text.encode(), "t.csv")
        return [table.raw(name).to_pylist() for name in table.names]

    def outcome(text):
        try:
            return cells(text)
        except DataError as error:
            return str(error)

    quick = outcome(text)
    monkeypatch.setattr(csv_file, "_well_quoted", lambda *_: False)
    assert outcome(text) == quick
    assert same is None or cells(same) == quick


def test_lines_are_found_for_rows_read_either_way(tmp_path):
    rows = "".join(f'{i},"a\nb",{i}\n' if i % 3 else f"\n{i},c,{i}\n" for i in range(9))
    (tmp_path / "t.csv").write_text(f"x,sex,y\n{rows}9,c,oops\n")
    error = refused(tmp_path / "t.csv")
    line = (tmp_path / "t.csv").read_text().split("\n").index("9,c,oops") + 1
    assert error.where.endswith(f"line {line}: 'oops'")
