from __future__ import annotations

import json
import sys
import types
from dataclasses import dataclass
from typing import Annotated, ClassVar

import pytest
from annotated_types import Ge
from click.testing import CliRunner

from fairbench.cli import main
from fairbench.dataset import Card, DatasetSource, File, ProtectedColumn, Roles
from fairbench.method import OneByOne, Tradeoff
from fairbench.plugins import (
    DatasetDescription,
    MethodDescription,
    MetricDescription,
    added,
    hookimpl,
)


@dataclass(frozen=True)
class Penalised(OneByOne):
    """A method.

    Parameters
    ----------
    power
        Exponent of the penalty.
    """

    tradeoff: ClassVar[Tradeoff] = Tradeoff("lambda", (0.5, 2.0), low=0.0)

    power: Annotated[int, Ge(1)] = 1
    centred: bool = True

    def fit(self, trial, work):
        raise NotImplementedError


class Town(DatasetSource):
    card = Card(
        title="A town",
        source="its archive",
        licence="CC BY 4.0",
        caveats=("small", "old, and copied by hand from a ledger that was wet"),
        warning="Do not trust it.",
    )
    roles = Roles(
        targets=("rent", "price"),
        protected={"sex": ProtectedColumn("binary", {0: "female", 1: "male"})},
        cluster="household",
    )
    files = (File("town.csv", "ab" * 32, "https://example.org/town.csv"),)

    def table(self, locate):
        raise NotImplementedError


def metric(prediction, target, protected):
    return 0.0


class Toy:
    @hookimpl
    def fairbench_methods(self):
        yield MethodDescription(
            name="penalised", summary="A penalty", target="toy_show:Penalised", citation="A (2020)"
        )
        yield MethodDescription(name="gone", summary="Not there", target="toy_show:Gone")

    @hookimpl
    def fairbench_datasets(self):
        yield DatasetDescription(
            name="town", summary="Rents", target="toy_show:Town", warning="Do not trust it."
        )

    @hookimpl
    def fairbench_metrics(self):
        yield MetricDescription(
            name="nil", summary="Zero", target="toy_show:metric", role="disparity", unit="target²"
        )


@pytest.fixture(autouse=True)
def _toy(monkeypatch):
    module = types.ModuleType("toy_show")
    module.Penalised, module.Town, module.metric = Penalised, Town, metric
    monkeypatch.setitem(sys.modules, "toy_show", module)
    with added(Toy(), name="toyland"):
        yield


def show(*arguments: str) -> str:
    done = CliRunner().invoke(main, ["show", *arguments])
    assert done.exit_code == 0, done.stderr
    return done.stdout


def test_method():
    text = show("method", "penalised")
    assert text.startswith("method penalised\nA penalty\n")
    assert "citation: A (2020)" in text
    assert "name: lambda" in text
    assert "grid: 0.5, 2.0" in text
    assert "distribution: toyland" in text
    rows = [line.split("  ") for line in text.partition("\noptions\n")[2].splitlines()]
    cells = [[cell.strip() for cell in row if cell.strip()] for row in rows]
    assert cells == [
        ["name", "type", "default", "meaning"],
        ["power", "int, ≥ 1", "1", "Exponent of the penalty."],
        ["centred", "bool", "yes"],
    ]


def test_method_as_json():
    document = json.loads(show("method", "penalised", "--json"))
    assert document["tradeoff"] == {
        "name": "lambda",
        "grid": [0.5, 2.0],
        "low": 0.0,
        "high": None,
        "fair_end": "high",
    }
    assert document["options"][0] == {
        "name": "power",
        "type": "int, ≥ 1",
        "required": False,
        "default": 1,
        "doc": "Exponent of the penalty.",
    }
    assert document["provenance"]["target"] == "toy_show:Penalised"
    assert len(document["provenance"]["sha256"]) == 64


def test_tradeoff_that_depends_on_options(monkeypatch):
    class Turned(Penalised):
        @property
        def tradeoff(self):
            return Tradeoff("epsilon", (0.25,))

    monkeypatch.setattr(sys.modules["toy_show"], "Penalised", Turned)
    assert "name: epsilon" in show("method", "penalised")


def test_dataset_with_card_and_roles():
    text = show("dataset", "toyland:town")
    assert text.count("Do not trust it.") == 1
    assert "rows:" not in text
    for line in (
        "title: A town",
        "licence: CC BY 4.0",
        "caveats:\n    - small\n    - old, and copied by hand from a ledger that was wet",
        "targets: rent, price",
        "protected: sex: (kind: binary, labels: (0: female, 1: male))",
        "cluster: household",
    ):
        assert f"\n  {line}\n" in text
    assert "town.csv" in text
    card = json.loads(show("dataset", "town", "--json"))["card"]
    assert card["title"] == "A town"


def test_metric_with_its_description():
    text = show("metric", "nil")
    assert "role: disparity" in text
    assert "unit: target²" in text
    assert "\noptions" not in text


def test_built_in_protocol():
    text = show("protocol", "honest")
    assert "selection: validation" in text
    assert "label: " in text


def test_unknown_name():
    done = CliRunner().invoke(main, ["show", "method", "penalized"])
    assert done.exit_code == 2
    assert "Error: unknown method 'penalized'" in done.stderr
    assert "did you mean 'penalised'" in done.stderr


def test_target_that_cannot_be_imported():
    done = CliRunner().invoke(main, ["show", "method", "gone"])
    assert done.exit_code == 2
    assert "the target 'toy_show:Gone' of method 'gone' cannot be imported" in done.stderr
    assert "Traceback" not in done.stderr
