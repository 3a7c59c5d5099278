import hashlib
import http.server
import io
import lzma
import sys
import threading
import zipfile
from dataclasses import replace
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairbench.cache import cache_dir
from fairbench.data import digest
from fairbench.data import download as download_module
from fairbench.data.digest import sha256_lf
from fairbench.data.locate import find, locate, search_path
from fairbench.dataset import File
from fairbench.errors import DataError, StudyError

CONTENT = b"a,b\n1,2\n3,4\n"
FILE = File("table.csv", hashlib.sha256(CONTENT).hexdigest())


@pytest.fixture(autouse=True)
def places(tmp_path, monkeypatch):
    """Two folders in the variable, one in the configuration, and an empty cache."""
    for name in ("first", "second", "configured", "cache", "work"):
        (tmp_path / name).mkdir()
    monkeypatch.setenv("FAIRBENCH_DATA_DIR", f"{tmp_path / 'first'}:{tmp_path / 'second'}")
    monkeypatch.setenv("FAIRBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("FAIRBENCH_OFFLINE", raising=False)
    (tmp_path / "fairbench.toml").write_text('data_dirs = ["configured"]\n')
    monkeypatch.chdir(tmp_path / "work")
    return tmp_path


@pytest.fixture
def server(tmp_path):
    """A local server of the folder it yields, with its address."""
    folder = tmp_path / "served"
    folder.mkdir()

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *args):
            pass

    with http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), partial(Quiet, directory=str(folder))
    ) as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield folder, f"http://127.0.0.1:{running.server_port}"
        running.shutdown()
        thread.join()


def archive(**members):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as opened:
        for name, content in members.items():
            opened.writestr(name, content)
    return stream.getvalue()


def test_search_path_order(places):
    assert [(place.folder, place.origin) for place in search_path()] == [
        (places / "first", "FAIRBENCH_DATA_DIR"),
        (places / "second", "FAIRBENCH_DATA_DIR"),
        (places / "configured", str(places / "fairbench.toml")),
        (places / "cache", "cache"),
    ]


def test_earlier_places_win(places):
    for name in ("cache", "configured", "second", "first"):
        (places / name / FILE.name).write_bytes(CONTENT)
        assert locate(FILE) == places / name / FILE.name


@pytest.fixture
def shipped(places, monkeypatch):
    """A package that carries `FILE`, compressed, and a function that writes what it carries."""
    package = places / "site" / "acme_tables"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    monkeypatch.syspath_prepend(package.parent)

    def ship(content):
        (package / "table.csv.xz").write_bytes(content)
        return package / "table.csv.xz"

    yield ship
    sys.modules.pop("acme_tables", None)


PACKAGED = replace(FILE, package="acme_tables:table.csv.xz")


def test_a_packaged_copy_comes_after_the_users_folders_and_before_the_cache(places, shipped):
    path = shipped(lzma.compress(CONTENT))
    (places / "cache" / FILE.name).write_bytes(b"altered, and never looked at")
    found = find(PACKAGED)
    assert (found.path, found.origin) == (path, "in the package")
    (places / "configured" / FILE.name).write_bytes(CONTENT)
    assert find(PACKAGED).path == places / "configured" / FILE.name


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (lzma.compress(CONTENT + b"5,6\n"), "is not the file this dataset is made of"),
        (lzma.compress(CONTENT)[:-9], "no whole xz archive"),
        (CONTENT, "no whole xz archive"),
    ],
)
def test_a_packaged_copy_is_checked_by_its_hash(shipped, content, said):
    path = shipped(content)
    with pytest.raises(DataError, match=said) as caught:
        locate(PACKAGED)
    assert caught.value.where == str(path)


def test_the_nearest_configuration_alone_counts(places):
    (places / "work" / "fairbench.toml").write_text("data_dirs = ['.']")
    assert [place.folder for place in search_path()][2:] == [places / "work", places / "cache"]


def test_without_cache_variable_the_users_cache(monkeypatch, places):
    monkeypatch.delenv("FAIRBENCH_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(places / "xdg"))
    assert cache_dir().name == "fairbench"


def test_copies_with_crlf_are_accepted(places):
    path = places / "first" / FILE.name
    path.write_bytes(CONTENT.replace(b"\n", b"\r\n"))
    assert locate(FILE) == path


@given(st.lists(st.sampled_from([b"\r", b"\n", b"\r\n", b"a"])), st.integers(1, 5))
def test_hash_normalises_across_blocks(tmp_path_factory, pieces, block):
    path = tmp_path_factory.mktemp("hash") / "file"
    data = b"".join(pieces)
    path.write_bytes(data)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(digest, "BLOCK", block)
        found = sha256_lf(path)
    assert found == hashlib.sha256(data.replace(b"\r\n", b"\n")).hexdigest()


def test_an_altered_copy_is_an_error_and_not_passed_over(places):
    (places / "first" / FILE.name).write_bytes(CONTENT + b"5,6\n")
    (places / "cache" / FILE.name).write_bytes(CONTENT)
    with pytest.raises(DataError) as caught:
        locate(FILE)
    altered = hashlib.sha256(CONTENT + b"5,6\n").hexdigest()
    assert altered in caught.value.what
    assert FILE.sha256 in caught.value.what
    assert caught.value.where == str(places / "first" / FILE.name)


@pytest.mark.parametrize("url", ["", "https://example.invalid/table.csv"])
def test_absent_file_says_what_to_put_where(places, monkeypatch, url):
    monkeypatch.setenv("FAIRBENCH_OFFLINE", "1")
    assert find(FILE) is None
    with pytest.raises(DataError) as caught:
        locate(replace(FILE, url=url))
    message = str(caught.value)
    for part in (FILE.name, FILE.sha256, url, str(places / "first"), str(places / "configured")):
        assert part in message


def test_offline_forbids_the_download(places, monkeypatch, server):
    folder, address = server
    (folder / "table.csv").write_bytes(CONTENT)
    monkeypatch.setenv("FAIRBENCH_OFFLINE", "1")
    with pytest.raises(DataError, match="FAIRBENCH_OFFLINE forbids"):
        locate(replace(FILE, url=f"{address}/table.csv"))
    monkeypatch.setenv("FAIRBENCH_OFFLINE", "0")
    assert locate(replace(FILE, url=f"{address}/table.csv")) == places / "cache" / "table.csv"


def test_download_lands_in_the_cache_alone(places, server):
    folder, address = server
    (folder / "whole.csv").write_bytes(CONTENT)
    path = locate(replace(FILE, url=f"{address}/whole.csv"))
    assert path.read_bytes() == CONTENT
    assert list((places / "cache").iterdir()) == [path]
    assert not list((places / "first").iterdir())
    (folder / "whole.csv").unlink()
    assert locate(replace(FILE, url=f"{address}/whole.csv")) == path  # from the cache


def test_zip_member_by_its_exact_name(places, server):
    folder, address = server
    (folder / "all.zip").write_bytes(
        archive(**{"other/table.csv": b"no", "../table.csv": b"no", "table.csv": CONTENT})
    )
    path = locate(replace(FILE, url=f"{address}/all.zip", member="table.csv"))
    assert path.read_bytes() == CONTENT
    assert [p.name for p in (places / "cache").iterdir()] == ["table.csv"]


def test_member_of_an_archive_within_the_archive(server):
    folder, address = server
    (folder / "all.zip").write_bytes(archive(**{"inner.zip": archive(**{"a/b.csv": CONTENT})}))
    path = locate(replace(FILE, url=f"{address}/all.zip", member="inner.zip!a/b.csv"))
    assert path.read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("served", "member", "message"),
    [
        (None, "", "404"),
        (CONTENT + b"x", "", "another SHA-256"),
        (CONTENT, "table.csv", "not a sound zip"),
        (archive(other=CONTENT), "table.csv", "no readable table.csv"),
        (archive(**{"table.csv": CONTENT[:-1]}), "table.csv", "another SHA-256"),
        (archive(**{"table.csv": CONTENT})[:-30], "table.csv", "not a sound zip"),
    ],
    ids=["absent", "altered", "no archive", "other member", "altered member", "cut short"],
)
def test_a_failed_download_leaves_nothing_and_says_where_to_put_the_file(
    places, server, served, member, message
):
    folder, address = server
    if served is not None:
        (folder / "file").write_bytes(served)
    with pytest.raises(DataError) as caught:
        locate(replace(FILE, url=f"{address}/file", member=member))
    assert message in caught.value.what
    assert f"{address}/file" in caught.value.what
    assert FILE.sha256 in caught.value.hint
    assert str(places / "first") in caught.value.hint
    assert not list((places / "cache").iterdir())


@pytest.mark.parametrize("member", ["", "table.csv"])
def test_download_and_unpacking_are_bounded(monkeypatch, server, member):
    folder, address = server
    big = b"0" * 100_000
    (folder / "file").write_bytes(archive(**{"table.csv": big}) if member else big)
    monkeypatch.setattr(download_module, "MOST_BYTES", 10_000)
    with pytest.raises(DataError, match="larger than 10000 bytes"):
        locate(replace(FILE, url=f"{address}/file", member=member))


def test_download_is_bounded_in_time(monkeypatch, server):
    folder, address = server
    (folder / "file").write_bytes(CONTENT)
    monkeypatch.setattr(download_module, "MOST_SECONDS", -1.0)
    with pytest.raises(DataError, match="takes longer"):
        locate(replace(FILE, url=f"{address}/file"))


def test_unwritable_cache(places, monkeypatch, server):
    folder, address = server
    (folder / "file").write_bytes(CONTENT)
    (places / "blocked").write_text("a file, not a folder")
    monkeypatch.setenv("FAIRBENCH_CACHE", str(places / "blocked" / "cache"))
    with pytest.raises(DataError, match="failed"):
        locate(replace(FILE, url=f"{address}/file"))


def test_configuration_with_unknown_key(places):
    path = places / "fairbench.toml"
    path.write_text('# where data lie\ndata_dirs = [\n  "configured",\n]\n\ndata_dir = "x"\n')
    with pytest.raises(StudyError, match="unknown key 'data_dir'") as caught:
        search_path()
    assert caught.value.where == f"{path}, line 6"
    assert "did you mean 'data_dirs'" in caught.value.hint


@pytest.mark.parametrize("value", ['"configured"', "[1]", "3"])
def test_configuration_with_wrong_folders(places, value):
    path = places / "fairbench.toml"
    path.write_text(f"\ndata_dirs = {value}\n")
    with pytest.raises(StudyError, match="not a list of folders") as caught:
        search_path()
    assert caught.value.where == f"{path}, line 2"
