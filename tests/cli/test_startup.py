"""What the command line imports, how it fails and how it ends."""

from __future__ import annotations

import os
import subprocess
import sys

import click
import pytest
from click.testing import CliRunner

from fairbench import __version__
from fairbench.cli import VERBS, main
from fairbench.errors import StudyError

HEAVY = ("torch", "pandas", "numpy", "sklearn", "scipy", "pyarrow", "pydantic", "plotly")


def imported(*arguments: str) -> set[str]:
    """Top-level packages that ``fairbench arguments`` imports."""
    code = (
        "import sys\nfrom fairbench.cli import main\n"
        f"try: main({list(arguments)!r})\n"
        "except SystemExit as end: assert not end.code, end.code\n"
        "print(*sorted(sys.modules), file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"FAIRBENCH_DISABLE_PLUGINS": "*"},
    )
    return {name.partition(".")[0] for name in done.stderr.splitlines()[-1].split()}


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["--version"],
        ["list"],
        ["list", "methods"],
        ["list", "metrics", "--json"],
        ["list", "plugins"],
    ],
    ids=" ".join,
)
def test_listing_and_help_import_nothing_heavy(arguments):
    modules = imported(*arguments)
    assert "click" in modules
    assert modules & set(HEAVY) == set()


def test_help_imports_no_plugin():
    assert imported("--help") & {"pluggy", "rich", "fairbench_paper"} == set()


def test_importing_the_package_or_plugins_imports_nothing_heavy():
    code = (
        "import fairbench, fairbench.plugins, fairbench.plugins.core, sys;"
        f"assert not set({HEAVY}) & set(sys.modules), sorted(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_help_lists_verbs_in_order():
    done = CliRunner().invoke(main, ["--help"])
    assert done.exit_code == 0
    listed = done.output.partition("Commands:")[2].splitlines()
    verbs = ["run", "plan", "list", "show", "data", "reproduce", "report"]
    verbs += ["verify", "baseline", "gate"]
    assert [line.split()[0] for line in listed if line] == verbs


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_in_the_help_exists(verb):
    done = CliRunner().invoke(main, [verb, "--help"])
    assert done.exit_code == 0
    assert f"main {verb} " in done.output


def test_version():
    done = CliRunner().invoke(main, ["--version"])
    assert done.output == f"fairbench {__version__}\n"


def test_unknown_verb_suggests_near_ones():
    done = CliRunner().invoke(main, ["lst"])
    assert done.exit_code == 2
    assert "no such command 'lst': did you mean 'list'" in done.stderr


@pytest.fixture
def raising(monkeypatch):
    """A verb that raises what it is given."""

    def verb(error: BaseException) -> None:
        def command() -> None:
            raise error

        monkeypatch.setattr("fairbench.cli.list_.command", click.Command("list", callback=command))

    return verb


def test_errors_of_fairbench_are_messages(raising):
    raising(StudyError("unknown method 'x'", where="--method", hint="did you mean 'y'?"))
    done = CliRunner().invoke(main, ["list"])
    assert done.exit_code == 2
    assert done.stdout == ""
    assert done.stderr == (
        "Error: unknown method 'x'\n  where: --method\n  hint:  did you mean 'y'?\n"
    )


def test_exit_code_is_the_errors_own(raising):
    error = StudyError("odd")
    error.exit_code = 7
    raising(error)
    assert CliRunner().invoke(main, ["list"]).exit_code == 7


def test_interrupt(raising):
    raising(KeyboardInterrupt())
    done = CliRunner().invoke(main, ["list"])
    assert done.exit_code == 130
    assert "Traceback" not in done.stderr


def test_a_defect_is_no_result(raising):
    """Neither 1, which failed trials and regressions exit with, nor hidden."""
    raising(ZeroDivisionError("a defect"))
    done = CliRunner().invoke(main, ["list"])
    assert done.exit_code == 70
    assert done.stdout == ""
    assert "ZeroDivisionError: a defect" in done.stderr
    assert done.stderr.startswith("Traceback")
    assert "please report it" in done.stderr.splitlines()[-1]


def test_who_calls_the_command_from_python_hears_of_misuse():
    with pytest.raises(click.UsageError):
        main(["no-such-verb"], standalone_mode=False)


def test_a_reader_that_has_heard_enough():
    command = [sys.executable, "-m", "fairbench.cli", "list", "metrics"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    process.stdout.close()
    assert process.stderr.read() == ""
    process.stderr.close()
    assert process.wait(timeout=60) == 141


def test_ctrl_c_inside_an_import_is_exit_code_130(tmp_path):
    """Dataclasses are made by `exec`, after which ``python -m`` would end by the signal itself."""
    (tmp_path / "torn.py").write_text("exec('raise KeyboardInterrupt')")
    (tmp_path / "caller.py").write_text(
        "from fairbench import cli; cli.VERBS = {'torn': ('torn:x', '')}; cli.main(['torn'])"
    )
    command = [sys.executable, "-m", "caller"]
    done = subprocess.run(command, check=False, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 130
    assert done.stderr == "\nStopped.\n"


class TestStrictPlugins:
    @pytest.fixture(autouse=True)
    def _broken(self, install):
        install("far-away", {"stranger": "raise RuntimeError('out of order')"})

    def test_without_it_a_problem_is_a_warning(self):
        done = CliRunner().invoke(main, ["list", "protocols"])
        assert done.exit_code == 0
        (line,) = [line for line in done.stderr.splitlines() if "far-away" in line]
        assert line.startswith("Warning: plugin 'stranger' of far-away 1.0: it cannot be imported")
        assert "honest" in done.stdout

    @pytest.mark.parametrize("how", [["--strict-plugins"], "FAIRBENCH_STRICT_PLUGINS"])
    def test_with_it_a_failure(self, how, monkeypatch):
        if isinstance(how, str):
            monkeypatch.setenv(how, "1")
            how = []
        done = CliRunner().invoke(main, [*how, "list"])
        assert done.exit_code == 2
        assert done.stdout == ""
        assert done.stderr.startswith("Error: ")
        assert "plugin 'stranger' of far-away 1.0" in done.stderr
        assert "out of order" in done.stderr
