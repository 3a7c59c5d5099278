"""What belongs to the code of a component, and what does not."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import spec_from_file_location
from pathlib import Path

import pytest

from fairbench.plugins import _code, _imports, code_of, core_code
from fairbench.plugins._files import digest_of, folder_files, imports_of

MODULE = "from fairbench.plugins import hookimpl\n"


@pytest.fixture
def changes(monkeypatch):
    """Whether the code of a component of `distribution` differs after something was done."""

    def changed(distribution, target, do) -> bool:
        before = code_of(distribution, target)
        assert before.sha256
        assert code_of(distribution, target) == before
        do()
        return code_of(distribution, target) != before

    return changed


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def record(folder: Path, distribution: str, *files: str) -> None:
    """Say of an installed distribution which files are its own, as a wheel does."""
    info = next(folder.glob(f"{distribution.replace('-', '_')}-*.dist-info"))
    listed = [*files, f"{info.name}/METADATA", f"{info.name}/RECORD", "../../bin/script"]
    (info / "RECORD").write_text("".join(f"{name},,\n" for name in listed))


class TestWheel:
    @pytest.fixture
    def folder(self, install):
        folder = install("far-away", {"stranger": MODULE})
        write(folder / "parts/__init__.py", "")
        write(folder / "parts/deep/rule.py", "x = 1\n")
        write(folder / "parts/table.bin", "1 2 3")
        write(folder / "elsewhere.py", "y = 1\n")
        record(folder, "far-away", "stranger.py", "parts/__init__.py", "parts/deep/rule.py",
               "parts/table.bin", "parts/__pycache__/rule.cpython-311.pyc")  # fmt: skip
        return folder

    @pytest.mark.parametrize("file", ["stranger.py", "parts/deep/rule.py", "parts/table.bin"])
    def test_every_file_of_the_record_counts(self, folder, changes, file):
        assert changes("far-away", "parts", lambda: write(folder / file, "x = 2\n"))

    @pytest.mark.parametrize(
        "file", ["elsewhere.py", "parts/__pycache__/rule.cpython-311.pyc", "../bin/script"]
    )
    def test_caches_scripts_and_other_distributions_do_not(self, folder, changes, file):
        assert not changes("far-away", "stranger", lambda: write(folder / file, "x = 2\n"))

    def test_a_file_that_is_gone_is_no_reason_to_stop(self, folder, changes):
        assert changes("far-away", "stranger", (folder / "parts/deep/rule.py").unlink)

    def test_what_is_required_counts_by_its_version(self, install, changes):
        folder = install("far-away", {"stranger": MODULE})
        metadata = next(folder.glob("far_away*")) / "METADATA"
        with metadata.open("a") as file:
            file.write("Requires-Dist: near.by>=1\nRequires-Dist: nothing; extra == 'all'\n")
        write(folder / "near_by-1.0.dist-info/METADATA",
              "Metadata-Version: 2.1\nName: near-by\nVersion: 1.0\n")  # fmt: skip
        assert code_of("far-away", "stranger").requires == {"near-by": "1.0"}
        newer = "Metadata-Version: 2.1\nName: near-by\nVersion: 1.1\n"
        assert changes(
            "far-away",
            "stranger",
            lambda: write(folder / "near_by-1.0.dist-info/METADATA", newer),
        )

    def test_what_is_required_and_small_counts_by_its_files(self, install, changes, monkeypatch):
        folder = install("far-away", {"stranger": MODULE})
        metadata = next(folder.glob("far_away*")) / "METADATA"
        with metadata.open("a") as file:
            file.write("Requires-Dist: nearby\n")
        install("nearby", {"neighbour": "x = 1\n"})
        (next(folder.glob("nearby*")) / "entry_points.txt").unlink()
        record(folder, "far-away", "stranger.py")
        record(folder, "nearby", "neighbour.py")
        edits = iter("234")

        def edit() -> None:
            write(folder / "neighbour.py", f"x = {next(edits)}\n")

        assert changes("far-away", "stranger", edit)
        monkeypatch.setattr(_code, "SMALL", -1)
        assert not changes("far-away", "stranger", edit)


class TestWithoutRecord:
    """An editable install, a folder on the path, or a distribution that lists no files."""

    @pytest.mark.parametrize(
        "imports",
        [
            "import helper",
            "from helper import value",
            "def late():\n    from helper.inner import value",
            "import importlib\nimportlib.import_module('helper')",
            "description = dict(target='helper:value')",
            "import between",
        ],
    )
    def test_what_it_imports_counts(self, install, changes, imports):
        folder = install("far-away", {"stranger": f"{imports}\n"})
        write(folder / "between.py", "import helper\n")
        write(folder / "helper/__init__.py", "value = 1\n")
        write(folder / "helper/inner.py", "value = 1\n")
        inner = folder / "helper/inner.py"
        assert changes("far-away", "stranger", lambda: write(inner, "value = 2\n"))

    def test_editable(self, install, changes, tmp_path, monkeypatch):
        source = tmp_path / "checkout"
        write(source / "pkg/__init__.py", "")
        write(source / "pkg/rule.py", "from shared import x\n")
        write(source / "pkg/kernel.cpp", "int x;")
        write(source / "shared.py", "x = 1\n")
        for other in ("tests/test_rule.py", "setup.py", ".git/HEAD", "pkg/.cache/x",
                      "pkg/test_rule.py", "pkg/venv/pyvenv.cfg", "pkg/venv/lib.py"):  # fmt: skip
            write(source / other, "import pkg\n")
        folder = install("far-away", {"pkg": None})
        (folder / "far_away.pth").write_text(f"{source}\n")
        record(folder, "far-away", "far_away.pth")
        monkeypatch.syspath_prepend(source)

        for file in ("pkg/rule.py", "pkg/kernel.cpp", "pkg/new.py", "shared.py"):
            assert changes(
                "far-away",
                "pkg.rule",
                lambda f=file: write(source / f, "from shared import x as y\n"),
            ), file
        for file in ("tests/test_rule.py", "setup.py", ".git/HEAD", "pkg/.cache/x",
                     "pkg/test_rule.py", "pkg/venv/lib.py"):  # fmt: skip
            assert not changes(
                "far-away", "pkg.rule", lambda f=file: write(source / f, "import os\n")
            ), file

    def test_a_checkout_has_one_identity_wherever_it_lies(self, tmp_path, monkeypatch):
        digests = []
        for place in ("one", "other/deeper"):
            write(tmp_path / place / "wandering/__init__.py", "x = 1\n")
            with monkeypatch.context() as patch:
                patch.syspath_prepend(tmp_path / place)
                digests.append(code_of("nowhere", "wandering"))
        assert digests[0] == digests[1]

    def test_editable_through_a_finder(self, install, changes, tmp_path, monkeypatch):
        """As setuptools does it: the checkout lies in no folder of the path."""
        source = tmp_path / "checkout"
        write(source / "found/__init__.py", "")
        write(source / "found/rule.py", "x = 1\n")

        class Finder:
            def find_spec(self, name, path=None, target=None):
                if name == "found":
                    return spec_from_file_location(name, source / "found/__init__.py")
                return None

        monkeypatch.setattr(sys, "meta_path", [*sys.meta_path, Finder()])
        folder = install("far-away", {"found": None})
        write(folder / "__editable___far_away_finder.py", "MAPPING = {}\n")
        record(folder, "far-away", "__editable___far_away_finder.py")
        edited = source / "found/rule.py"
        assert changes("far-away", "found.rule", lambda: write(edited, "x = 2\n"))

    def test_of_a_shared_namespace_its_own_part(self, install, changes):
        folder = install("far-away", {"stranger": "from acme.fair import rule\n"})
        write(folder / "acme/fair/rule.py", "from . import helper\n")
        write(folder / "acme/fair/helper.py", "x = 1\n")
        write(folder / "acme/other/__init__.py", "x = 1\n")
        target = "acme.fair.rule"
        assert changes("far-away", target, lambda: write(folder / "acme/fair/helper.py", "x = 2\n"))
        assert not changes(
            "far-away", target, lambda: write(folder / "acme/other/__init__.py", "x = 2\n")
        )

    def test_base_classes_of_other_distributions_count(self, install, changes):
        folder = install("far-away", {"stranger": MODULE})
        record(folder, "far-away", "stranger.py")
        write(folder / "base.py", "x = 1\n")
        assert "base" not in sys.modules
        before = code_of("far-away", "stranger", ["base"])
        write(folder / "base.py", "x = 2\n")
        assert code_of("far-away", "stranger", ["base"]) != before


def test_no_distribution_and_no_file_is_no_error():
    assert code_of("nowhere", "sys").sha256 == ""
    assert code_of("", "no_such_module.at_all").sha256 == ""


class TestOwn:
    def test_what_shows_predictions_is_apart_from_what_makes_them(self, monkeypatch, tmp_path):
        import shutil

        copy = tmp_path / "fairbench"
        shutil.copytree(_code.ROOT, copy, ignore=shutil.ignore_patterns("__pycache__"))
        monkeypatch.setattr(_code, "ROOT", copy)
        before = core_code()
        assert before.sha256
        for part in _imports.VIEW:
            assert (copy / part).exists()
        for shown in ("cli/run.py", "report/ranks.py", "analyze/run.py", "reproduction.py"):
            write(copy / shown, "x = 1\n")
            assert core_code() == before, shown
        for deciding in ("seeds.py", "train/fit.py", "kernel/source/kernel.cpp", "store/folder.py"):
            write(copy / deciding, "x = 1\n")
            assert core_code() != before, deciding
            before = core_code()

    def test_a_package_of_plugins_stands_alone(self):
        names = [code_of("fairbench-mtl", f"fairbench_{p}.x").name for p in ("paper", "metrics")]
        assert names == ["fairbench_paper", "fairbench_metrics"]
        assert code_of("fairbench-mtl", "fairbench.study.protocols") == core_code()

    def test_who_trains_with_what_shows_depends_on_it(self, install):
        install("far-away", {"stranger": "from fairbench.analyze import axes\n"})
        files = _imports.imported(["stranger"], {}, None)
        assert "fairbench/analyze/axes.py" in files
        assert "fairbench/seeds.py" not in files  # in every identity already


def test_an_unreadable_or_broken_file_is_no_reason_to_stop(tmp_path):
    broken = tmp_path / "broken.py"
    broken.write_bytes(b"import ok\n\x00\xff(")
    assert imports_of(broken) == frozenset()
    assert imports_of(tmp_path / "absent.py") == frozenset()
    assert digest_of({"a": broken, "b": tmp_path / "absent.py"})
    (tmp_path / "circle").symlink_to(tmp_path)
    assert [p.name for p in folder_files(tmp_path)] == ["broken.py"]


def test_runs_in_a_source_tree_are_no_source(tmp_path):
    write(tmp_path / "pkg/rule.py", "")
    for file in ("manifest.json", ".lock", "rows/x.npz"):
        write(tmp_path / "pkg/runs/study-1" / file, "")
    assert [p.name for p in folder_files(tmp_path)] == ["rule.py"]


def test_the_digest_is_the_same_in_another_process():
    call = "code_of('fairbench-mtl', 'fairbench_paper').sha256"
    script = f"from fairbench.plugins import code_of; print({call})"
    found = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    ).stdout.strip()
    assert found == code_of("fairbench-mtl", "fairbench_paper").sha256
