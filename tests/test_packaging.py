"""The wheel: what it carries, and that it works where there is no checkout."""

from __future__ import annotations

import ast
import configparser
import json
import os
import re
import subprocess
import sys
import sysconfig
import tomllib
import zipfile
from importlib.metadata import packages_distributions
from pathlib import Path, PurePosixPath

import pytest

import fairbench

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PLUGINS = {
    folder.name for folder in (ROOT / "plugins").iterdir() if (folder / "__init__.py").exists()
}
ASSETS = {
    "fairbench/py.typed",
    "fairbench_paper/data/ATTRIBUTION.md",
    "fairbench_paper/data/boston.csv",
    "fairbench_paper/data/parkinsons_updrs.data.xz",
    "fairbench_datasets/data/ATTRIBUTION.md",
    "fairbench_datasets/data/communities.data.xz",
    "fairbench_datasets/data/student-mat.csv.xz",
    "fairbench_datasets/data/student-por.csv.xz",
}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("dist")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def names(wheel):
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """Runs commands of a fresh environment: this wheel, and of this one all but fairbench."""
    home = tmp_path_factory.mktemp("elsewhere")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(home / "venv")], check=True)
    python = home / "venv" / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "--no-deps"]
    subprocess.run([*pip, "--no-index", str(wheel)], check=True, capture_output=True)
    borrowed = home / "borrowed"
    borrowed.mkdir()
    for path in {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}:
        for entry in Path(path).iterdir():
            if not entry.name.startswith(("fairbench", "_editable", "__")):
                (borrowed / entry.name).symlink_to(entry)
    (site,) = (home / "venv").glob("lib/python*/site-packages")
    (site / "borrowed.pth").write_text(f"{borrowed}\n")
    (home / "work").mkdir()
    own = {"PYTHONPATH", "FAIRBENCH_DATA_DIR", "FAIRBENCH_DISABLE_PLUGINS"}
    kept = {name: value for name, value in os.environ.items() if name not in own}

    def run(program, *arguments):
        return subprocess.run(
            [python.with_name(program), *arguments],
            cwd=home / "work",
            env=kept | {"FAIRBENCH_OFFLINE": "1", "FAIRBENCH_CACHE": str(home / "cache")},
            capture_output=True,
            text=True,
            check=True,
        )

    return run


# What it carries


def test_it_carries_every_module_of_the_checkout(names):
    expected = {
        path.relative_to(base).as_posix()
        for base, top in [(ROOT, "fairbench"), (ROOT / "plugins", ".")]
        for path in (base / top).rglob("*.py")
    }
    assert {name for name in names if name.endswith(".py")} == expected


SOURCE = "fairbench/kernel/source"


def test_it_carries_the_pages_and_tables_and_no_other_data(names):
    plugins = ROOT / "plugins"
    found = [path for kind in ("css", "js", "j2") for path in plugins.rglob(f"*.{kind}")]
    pages = {path.relative_to(plugins).as_posix() for path in found}
    assert "fairbench_reporters/static/page.html.j2" in pages
    own = {name for name in names if ".dist-info/" not in name and not name.endswith(".py")}
    kernel = {f"fairbench/kernel/source/{p.name}" for p in (ROOT / SOURCE).iterdir()}
    assert f"{SOURCE}/kernel.cpp" in kernel
    assert own == ASSETS | pages | kernel


def test_it_carries_the_licence(names):
    assert any(PurePosixPath(name).name == "LICENSE" for name in names)


# What the project says of itself


def test_every_plugin_package_is_named_wherever_packages_are_named():
    project = PROJECT["project"]
    entry_points = set(project["entry-points"]["fairbench"].values())
    assert entry_points - {"fairbench.plugins.core"} == PLUGINS
    wheel = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    assert set(wheel) == {"fairbench", *(f"plugins/{name}" for name in PLUGINS)}
    assert set(PROJECT["tool"]["mypy"]["packages"]) == {"fairbench", *PLUGINS}
    rules = configparser.ConfigParser()
    rules.read(ROOT / ".importlinter")
    assert set(rules["importlinter"]["root_packages"].split()) == {"fairbench", *PLUGINS}
    for contract in ("core", "independence"):
        section = rules[f"importlinter:contract:{contract}"]
        listed = section.get("forbidden_modules") or section["modules"]
        assert set(listed.split()) == PLUGINS


def name_of(requirement):
    return re.match(r"[\w.-]+", requirement)[0].lower().replace("_", "-")


def imported():
    """Distributions that the shipped code imports."""
    tops = set()
    for path in [*(ROOT / "fairbench").rglob("*.py"), *(ROOT / "plugins").rglob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                tops |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level:
                tops.add(node.module.partition(".")[0])
    tops -= {*sys.stdlib_module_names, "fairbench", *PLUGINS}
    known = packages_distributions()
    return {name_of(known[top][0]) for top in tops}


def test_what_is_imported_is_declared_and_the_other_way_round():
    project = PROJECT["project"]
    extras = [each for extra in project["optional-dependencies"].values() for each in extra]
    listed = [name_of(each) for each in [*project["dependencies"], *extras]]
    declared = set(listed)
    assert len(listed) == len(declared)
    # The conformance kit's own; parts of jinja2, pydantic and distributed.
    assert imported() - {"pytest", "markupsafe", "pydantic-core", "dask"} == declared


def test_tests_want_the_torch_that_the_package_wants():
    def torch(requirements):
        (found,) = [each for each in requirements if name_of(each) == "torch"]
        return found

    assert torch(PROJECT["dependency-groups"]["test"]) == torch(PROJECT["project"]["dependencies"])


# That it works


def test_it_lists_every_built_in(installed):
    done = installed("fairbench", "list", "plugins", "--json")
    plugins = json.loads(done.stdout)["plugins"]
    assert done.stderr == ""
    found = {plugin["name"] for plugin in plugins if plugin["distribution"] == "fairbench-mtl"}
    assert found == set(PROJECT["project"]["entry-points"]["fairbench"])


def test_it_is_imported_from_where_it_was_installed(installed):
    code = "import fairbench, fairbench_paper; print(fairbench.__file__, fairbench_paper.__file__)"
    for path in installed("python", "-c", code).stdout.split():
        assert not Path(path).is_relative_to(ROOT)
    version = installed("fairbench", "--version").stdout
    assert version == f"fairbench {fairbench.__version__}\n"


def test_every_dataset_is_in_it(installed):
    listed = json.loads(installed("fairbench", "data", "list", "--json").stdout)
    found = {state["dataset"]: (state["status"], state["origin"]) for state in listed}
    assert found.pop("synthetic") == ("built in", "")
    assert found.pop("acs-income") == ("absent", "")  # too large to ship
    assert len(found) >= 5
    assert set(found.values()) == {("available", "in the package")}


def test_it_runs_and_reports(installed):
    done = installed(
        *("fairbench", "run", "--method", "static-alpha", "--dataset", "parkinson", "--json"),
        *("--tradeoff", "0.5,1.5", "--seeds", "1", "--epochs", "1", "--jobs", "1"),
    )
    (run,) = json.loads(done.stdout)["runs"]
    assert run["progress"]["trials_done"] == 3
    page = re.search(r"^Report: (.+)$", done.stderr, re.M)[1]
    shown = installed("python", "-c", f"print(open({page!r}, encoding='utf-8').read())").stdout
    assert "static-alpha" in shown
    assert shown.startswith("<!doctype html>")
    again = installed("fairbench", "report", str(Path(page).parent)).stdout
    assert "single-task" in again
