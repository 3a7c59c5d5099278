"""`fairbench reproduce`: finds a reproduction among plugins, passes the order on, writes files."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pytest
from click.testing import CliRunner

from fairbench.cli import main
from fairbench.plugins import ReproductionDescription, added, hookimpl
from fairbench.progress import Interrupted
from fairbench.reproduction import Order, Reproduced, Reproduction


@dataclass(frozen=True)
class Made(Reproduction):
    datasets: ClassVar = ("one", "two")
    orders: ClassVar[list[Order]] = []

    def run(self, order: Order, /) -> Reproduced:
        self.orders.append(order)
        if order.seeds == 13:
            raise Interrupted(order.out / "one", 3, 9)
        return Reproduced("In words", {"page.html": "<p>", "sub.md": "#"}, {"found": 1.5})


class Plugin:
    @hookimpl
    def fairbench_reproductions(self):
        yield ReproductionDescription(name="made-up", summary="Nothing", target=f"{__name__}:Made")


@pytest.fixture(autouse=True)
def _plugin():
    with added(Plugin()):
        yield
    Made.orders.clear()


def invoke(*arguments: str):
    return CliRunner().invoke(main, ["reproduce", *arguments])


def test_the_order_reaches_the_plugin(tmp_path):
    out = tmp_path / "out"
    options = ["--dataset", "two", "--seeds", "4", "--quick", "--jobs", "1", "--out", str(out)]
    done = invoke("made-up", *options)
    assert done.exit_code == 0, done.stderr
    (order,) = Made.orders
    assert (order.out, order.datasets, order.seeds) == (out, ("two",), 4)
    assert order.quick
    assert order.jobs == 1
    assert done.stdout == "In words\n"
    assert (out / "page.html").read_text() == "<p>"
    assert (out / "sub.md").read_text() == "#"
    assert str(out / "page.html") in done.stderr


def test_defaults(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert invoke("added:made-up").exit_code == 0
    (order,) = Made.orders
    assert order.datasets == ("one", "two")
    assert order.out == Path("runs/reproduce-made-up")
    assert (order.seeds, order.quick, order.jobs) == (None, False, None)


def test_a_quick_look_does_not_share_the_folder_of_the_whole(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert invoke("made-up", "--quick").exit_code == 0
    assert Made.orders[0].out == Path("runs/reproduce-made-up-quick")


def test_json_is_all_of_standard_output(tmp_path):
    done = invoke("made-up", "--json", "--out", str(tmp_path))
    assert json.loads(done.stdout) == {"found": 1.5}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nothing"], "unknown reproduction 'nothing'"),
        (["made-up", "--dataset", "three"], "no dataset 'three'"),
    ],
)
def test_what_does_not_exist(arguments, words):
    done = invoke(*arguments)
    assert done.exit_code == 2
    assert words in done.stderr
    assert Made.orders == []


def test_interrupted_says_how_to_go_on(tmp_path):
    done = invoke("made-up", "--seeds", "13", "--out", str(tmp_path))
    assert done.exit_code == 130
    assert "3 of 9 trials are saved" in done.stderr
    assert "same command again" in done.stderr


def test_a_folder_of_somebody_else_is_refused_before_anything_runs(tmp_path):
    (tmp_path / "page.html").write_text("precious")
    done = invoke("made-up", "--out", str(tmp_path))
    assert done.exit_code == 2
    assert "holds no reproduction: 'page.html'" in done.stderr
    assert not Made.orders
    assert (tmp_path / "page.html").read_text() == "precious"
    (tmp_path / "one").mkdir()
    (tmp_path / "one/manifest.json").write_text("{}")
    assert invoke("made-up", "--out", str(tmp_path)).exit_code == 0
    assert (tmp_path / "page.html").read_text() == "<p>"
