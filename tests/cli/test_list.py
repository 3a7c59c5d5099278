from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from fairbench.cli import main
from fairbench.plugins import (
    DatasetDescription,
    MethodDescription,
    MetricDescription,
    added,
    hookimpl,
)

if TYPE_CHECKING:
    from pathlib import Path

LONG = "a-name-so-long-that-no-table-of-eighty-columns-could-hold-it-beside-anything-else-at-all"
WARNING = "Holds a column that should never have been collected; " + "read this in full. " * 8


class Toy:
    @hookimpl
    def fairbench_datasets(self):
        yield DatasetDescription(
            name="town", summary="Houses [bold] of a town", target="t:T", warning=WARNING.strip()
        )

    @hookimpl
    def fairbench_metrics(self):
        for name in (LONG, "zz-last"):
            yield MetricDescription(name=name, summary="Long", target="t:M", role="error")


class Clashing:
    @hookimpl
    def fairbench_metrics(self):
        yield MetricDescription(name="zz-last", summary="Another", target="u:M", role="error")


@pytest.fixture
def toy():
    with added(Toy(), name="toyland") as registry:
        yield registry


def listed(*arguments: str) -> str:
    done = CliRunner().invoke(main, ["list", *arguments])
    assert done.exit_code == 0, done.stderr
    return done.stdout


def test_without_argument_every_kind_with_count_and_names(toy):
    rows = {line.split()[0]: line.split(maxsplit=2)[1:] for line in listed().splitlines()}
    assert list(rows) == [
        "kind",
        "datasets",
        "models",
        "weightings",
        "methods",
        "metrics",
        "protocols",
        "executors",
        "reporters",
        "reproductions",
    ]
    count, names = rows["metrics"]
    assert int(count) == len(names.split(", ")) == len(toy.components("metric"))
    assert "honest" in rows["protocols"][1]
    assert LONG in names


def test_one_kind_with_summary_and_plugin(toy):
    (line,) = [line for line in listed("metrics").splitlines() if line.startswith(LONG)]
    assert line.split() == [LONG, "Long", "toyland", "(toyland)"]


def test_warnings_in_full(toy):
    assert f"Warning: {WARNING.strip()}" in listed("datasets")
    assert "Houses [bold] of a town" in listed("datasets")


def test_names_that_two_plugins_offer_are_qualified(toy):
    with added(Clashing(), name="clash"):
        names = [line.split()[0] for line in listed("metrics").splitlines()]
    assert "clash:zz-last" in names
    assert "toyland:zz-last" in names
    assert "zz-last" not in names


def test_json_of_one_kind(toy):
    document = json.loads(listed("datasets", "--json"))
    assert list(document) == ["datasets"]
    (town,) = [each for each in document["datasets"] if each["name"] == "town"]
    assert town["warning"] == WARNING.strip()
    assert town["qualified"] == "toyland:town"
    assert town["plugin"] == town["distribution"] == "toyland"


def test_json_of_everything(toy):
    document = json.loads(listed("--json"))
    assert {"executors", "plugins", "problems"} < set(document)
    assert {"local", "serial"} <= {each["name"] for each in document["executors"]}
    offers = {each["name"]: each["offers"] for each in document["plugins"]}
    assert offers["toyland"] == {"dataset": 1, "metric": 2}


def test_plugins_with_what_they_offer_and_problems(install):
    install("far-away", {"stranger": "raise RuntimeError('out of order')"}, version="3.1")
    lines = listed("plugins").splitlines()
    index = next(i for i, line in enumerate(lines) if line.startswith("stranger"))
    assert lines[index].split() == ["stranger", "far-away", "3.1", "broken"]
    assert lines[index + 1].startswith("  Problem: it cannot be imported: RuntimeError: out of")
    assert any(line.startswith("core ") and "3 executors" in line for line in lines)
    document = json.loads(listed("plugins", "--json"))
    assert list(document) == ["plugins", "problems"]
    assert [p["plugin"] for p in document["problems"] if p["distribution"] == "far-away"] == [
        "stranger"
    ]


def test_warnings_about_plugins_stay_out_of_standard_output(install):
    install("far-away", {"stranger": "print('noise'); raise RuntimeError('out of order')"})
    json.loads(listed("metrics", "--json"))


def test_a_loud_plugin_leaves_the_document_whole(install, capfd):
    """Imported for the list, and again, with what it offers, for its options."""
    loud = "import os\nprint('loud')\nos.write(1, b'louder')\nraise BaseException"
    install("far-away", {"stranger": loud})
    for verb in (["list"], ["show", "method", "single-task"]):
        main([*verb, "--json"], standalone_mode=False)
        out, err = capfd.readouterr()
        assert json.loads(out)
        assert "cannot be imported: BaseException" in err


def test_unknown_kind():
    done = CliRunner().invoke(main, ["list", "planets"])
    assert done.exit_code == 2
    assert "'planets'" in done.stderr
    assert "'methods'" in done.stderr


def test_nothing_of_a_kind_is_an_empty_table():
    class Nothing:
        @hookimpl
        def fairbench_methods(self):
            return list[MethodDescription]()

    with added(Nothing()):
        assert listed("executors").startswith("name")


def on_a_terminal(folder: Path, *arguments: str) -> str:
    """What ``fairbench arguments`` shows on a terminal of 80 columns."""
    master, slave = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "fairbench.cli", *arguments],
        stdout=slave,
        env=os.environ | {"COLUMNS": "80", "TERM": "xterm", "PYTHONPATH": str(folder)},
    )
    os.close(slave)
    shown = b""
    try:
        while block := os.read(master, 65536):
            shown += block
    except OSError:  # how Linux says that the other end is closed
        pass
    os.close(master)
    assert process.wait() == 0
    return shown.decode()


@pytest.mark.parametrize("name", ["a-name-of-more-than-thirty-characters", LONG])
def test_on_a_terminal_a_table_is_drawn_that_cuts_nothing_off(install, name):
    source = f"""
        from fairbench.plugins import ReporterDescription, hookimpl
        @hookimpl
        def fairbench_reporters():
            yield ReporterDescription(
                name={name!r}, summary="Of [red]many words[/red] " * 9, target="t:R"
            )
    """
    text = on_a_terminal(install("far-away", {"stranger": source}), "list", "reporters")
    rows = [line.split("│")[1:-1] for line in text.splitlines() if line.count("│") == 4]
    names, summaries, plugins = (
        "".join(c.strip() for c in column) for column in zip(*rows, strict=True)
    )
    assert name in names
    assert "[red]many" in summaries
    assert "stranger" in plugins
    if name != LONG:
        assert f"│ {name} │" in text
