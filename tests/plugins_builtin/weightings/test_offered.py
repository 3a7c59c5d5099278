"""What the plugin offers: every rule conforms, is documented, and is listed without torch."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from fairbench.errors import StudyError
from fairbench.plugins import load
from fairbench.plugins.conformance import WeightingConformance
from fairbench_weightings import fairbench_weightings

NAMES = [description.name for description in fairbench_weightings()]
GRAMIAN = [name for name in NAMES if load().find("weighting", name).load().needs == "gramian"]
ANY_TASKS = {"gradnorm", "modo"}
TWO_OR_MORE = {"gradvac", "fairgrad", "aligned-mtl"}
MOST_TASKS = {"pcgrad": 4}

for _name in NAMES:
    globals()[f"Test_{_name}"] = type(
        f"Test_{_name}",
        (WeightingConformance,),
        {
            "component": _name,
            "options": {"loss_weights": (0.5, 2.0)} if _name == "static" else {},
            "tasks": (2,) if _name == "static" else (2, 3),  # one for each of its weights
        },
    )


def test_the_rules_offered():
    assert len(NAMES) == len(set(NAMES)) == 28


def test_listing_imports_no_torch():
    code = (
        "import sys, fairbench_weightings as w; list(w.fairbench_weightings());"
        "sys.exit(bool({'torch', 'numpy', 'pandas', 'sklearn'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_every_rule_is_documented():
    page = Path(__file__).parents[3] / "docs" / "weightings.md"
    text = page.read_text(encoding="utf-8")
    missing = [name for name in NAMES if f"| `{name}` |" not in text]
    assert not missing
    undescribed = [name for name in NAMES if f"### `{name}`" not in text]
    assert not undescribed


def test_every_option_is_documented_with_its_default():
    page = Path(__file__).parents[3] / "docs" / "weightings.md"
    sections = page.read_text(encoding="utf-8").split("### ")
    for name in NAMES:
        section = next(part for part in sections if part.startswith(f"`{name}`"))
        for option in load().find("weighting", name).options():
            assert option.doc, f"{name}.{option.name} has no docstring"
            assert f"`{option.name}`" in section
            if name != "static":
                assert f"`{option.name}` = {option.default}" in section


@pytest.mark.parametrize("name", [name for name in GRAMIAN if name not in ANY_TASKS])
def test_too_many_or_too_few_tasks_are_refused(name, rule):
    most = 64 if name in TWO_OR_MORE else MOST_TASKS.get(name, 6)
    one = rule(name)
    one.check_tasks(2)
    one.check_tasks(most)
    for tasks in (1,) if name in TWO_OR_MORE else (1, most + 1):
        with pytest.raises(StudyError, match=f"{type(one).__name__}.* gives it {tasks}"):
            one.check_tasks(tasks)


@pytest.mark.parametrize("name", GRAMIAN)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_weights_keep_the_dtype(name, dtype, weigh, draw):
    gradients = draw(4, 2).to(dtype)
    assert weigh(name, gradients @ gradients.mT).dtype == dtype


@pytest.mark.parametrize("name", GRAMIAN)
def test_rules_trace_under_vmap(name, rule, step, draw):
    """Data-dependent control flow or a wait for values would not trace."""
    gradients = draw(5, 2)
    gramian = gradients @ gradients.mT
    one = rule(name)

    def single(g):
        return one.weights(step(one, gramian=g))[0]

    stacked = one.weights(step(one, gramian=gramian))[0]
    torch.testing.assert_close(torch.func.vmap(single)(gramian), stacked)
