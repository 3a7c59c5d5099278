import json
import os
import subprocess
import sys

import pytest
from click.testing import CliRunner

from fairbench.cli import main


@pytest.fixture
def nowhere(tmp_path, monkeypatch):
    """No file of any dataset at hand but those in the package, and no way to fetch one."""
    monkeypatch.setenv("FAIRBENCH_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("FAIRBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("FAIRBENCH_OFFLINE", "1")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    return tmp_path


def fairbench(*arguments):
    return CliRunner().invoke(main, ["data", *arguments])


def states(result):
    return {state["dataset"]: state for state in json.loads(result.stdout)}


def test_list_says_what_is_available_and_fetches_nothing(nowhere, wages):
    (nowhere / "data" / "parkinsons_updrs.data").write_text("altered")
    result = fairbench("list", "--json")
    assert result.exit_code == 0, result.output
    found = states(result)
    assert found["synthetic"]["status"] == "built in"
    assert found["parkinson"]["status"] == "altered"  # the user's own folders come first
    assert found["wages"]["status"] == "absent"
    assert "wages.csv" in found["wages"]["problem"]
    for name in ("boston", "communities-crime", "student-por", "student-mat"):
        assert (found[name]["status"], found[name]["origin"]) == ("available", "in the package")
    assert not (nowhere / "cache").exists()


def test_list_as_text_has_the_warning_of_boston(nowhere):
    result = fairbench("list")
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    row = next(i for i, line in enumerate(lines) if line.startswith("boston "))
    assert "in the package" in lines[row]
    assert lines[row + 1].strip().startswith("Warning: This dataset is widely withdrawn.")


def test_fetch_offline_fails_and_says_what_to_put_where(nowhere, wages):
    result = fairbench("fetch", "synthetic", "boston", "wages", "--json")
    assert result.exit_code == 2
    found = states(result)
    assert found["synthetic"]["status"] == "built in"
    assert found["boston"]["status"] == "available"
    assert found["wages"]["status"] == "absent"
    assert "FAIRBENCH_OFFLINE" in result.stderr
    assert str(nowhere / "data") in result.stderr
    assert "Traceback" not in result.output


def test_fetch_needs_a_name_and_knows_it(nowhere):
    assert fairbench("fetch").exit_code == 2
    result = fairbench("fetch", "parkinsen")
    assert result.exit_code == 2
    assert "did you mean 'parkinson'?" in result.stderr


def test_verify(nowhere, wages):
    assert fairbench("verify").exit_code == 0  # nothing at hand is wrong
    assert fairbench("verify", "wages").exit_code == 2  # but this one is not there
    assert fairbench("verify", "boston").exit_code == 0
    (nowhere / "data" / "parkinsons_updrs.data").write_text("altered")
    for arguments in (["verify"], ["verify", "boston", "parkinson"]):
        result = fairbench(*arguments)
        assert result.exit_code == 2
        assert "expected f2c7d502" in result.stderr
        assert str(nowhere / "data" / "parkinsons_updrs.data") in result.stderr


def test_a_copy_in_the_package_is_at_hand(nowhere):
    (path,) = fairbench("path", "parkinson").stdout.splitlines()
    assert path.endswith("parkinsons_updrs.data.xz")
    for verb in ("verify", "fetch"):
        result = fairbench(verb, "parkinson", "--json")
        assert result.exit_code == 0, result.output
        assert states(result)["parkinson"]["status"] == "available"
        assert states(result)["parkinson"]["path"] == path


def test_path_lists_folders_in_order(nowhere):
    (nowhere / "fairbench.toml").write_text('data_dirs = ["more"]')
    result = fairbench("path", "--json")
    assert [(p["folder"], p["exists"]) for p in json.loads(result.stdout)] == [
        (str(nowhere / "data"), True),
        (str(nowhere / "more"), False),
        (str(nowhere / "cache"), False),
    ]
    text = fairbench("path").stdout
    assert text.index("FAIRBENCH_DATA_DIR") < text.index("fairbench.toml") < text.index("cache")


@pytest.mark.parametrize(
    ("name", "message"),
    [("synthetic", "reads no file"), ("wages", "was not found"), ("park", "unknown dataset")],
)
def test_path_of_a_dataset_without_a_file(nowhere, wages, name, message):
    result = fairbench("path", name)
    assert result.exit_code == 2
    assert message in result.stderr
    assert not result.stdout


@pytest.mark.parametrize("verb", ["list", "verify", "path"])
def test_a_broken_configuration_is_named_with_its_line(nowhere, verb):
    (nowhere / "fairbench.toml").write_text("\ndata_dri = []\n")
    result = fairbench(verb)
    assert result.exit_code == 2
    assert f"{nowhere / 'fairbench.toml'}, line 2" in result.stderr


def test_a_dataset_that_cannot_be_imported_is_listed_as_broken(nowhere, install):
    install(
        "acme-data",
        {
            "acme_data": """
            from fairbench.plugins import DatasetDescription, hookimpl

            @hookimpl
            def fairbench_datasets():
                yield DatasetDescription(name="acme", summary="x", target="acme_absent:Source")
            """
        },
    )
    result = fairbench("list", "--json")
    assert result.exit_code == 0, result.output
    assert states(result)["acme"]["status"] == "broken"
    assert "acme_absent" in states(result)["acme"]["problem"]
    assert fairbench("verify").exit_code == 2


def test_listing_imports_neither_torch_nor_pandas(nowhere):
    code = (
        "import sys; from fairbench.cli import main\n"
        "try: main(['data', 'list'])\n"
        "except SystemExit: pass\n"
        "assert not {'torch', 'pandas', 'sklearn', 'pyarrow'} & set(sys.modules)"
    )
    subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, env=dict(os.environ)
    )
