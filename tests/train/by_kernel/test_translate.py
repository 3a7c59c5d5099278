"""Rules of weightings as C++: the same numbers as torch, or torch itself."""

from dataclasses import dataclass

import pytest
import torch

from fairbench import plugins
from fairbench.train.by_kernel import check, translate
from fairbench.train.by_kernel.rule import compiled_rule
from fairbench.train.by_kernel.writer import UntranslatableError
from fairbench.train.rules import looks_again, reads_gradients
from fairbench.weighting import Weighting

# What needs an operation without a translation, by the number of tasks.
WITH_TORCH = {
    **{(name, 3): "argmin" for name in ("cagrad", "dualproj", "mgda", "sdmgrad", "upgrad")},
    ("aligned-mtl", 3): "truth values",
    ("fairgrad", 3): "more than 5000 lines",
    ("gradvac", 3): "sort",
}
OPTIONS = {"static": {"loss_weights": (0.2, 0.5, 0.3)}}
PAIRS = {"imtl-g"}  # for two tasks only


BUILT_IN = [
    pytest.param(component, tasks, id=f"{component.name}-{tasks}")
    for component in plugins.load().components("weighting")
    if not (reads_gradients(component.load()) or looks_again(component.load()))
    for tasks in ((2,) if component.name in PAIRS else (2, 3))
]


@pytest.mark.parametrize(("component", "tasks"), BUILT_IN)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_every_built_in_rule(component, tasks, dtype):
    """`compiled_rule` itself compares with torch over steps of several trials."""
    options = {k: v[:tasks] for k, v in OPTIONS.get(component.name, {}).items()}
    weighting = component.build(options)
    own = {name: 16 * i for i, name in enumerate(weighting.initial_parameters(tasks), 1)}
    if (component.name, tasks) in WITH_TORCH:
        with pytest.raises(UntranslatableError, match=WITH_TORCH[component.name, tasks]):
            compiled_rule(weighting, tasks, own, dtype)
    else:
        assert compiled_rule(weighting, tasks, own, dtype).address


RULES = {
    "arithmetic": lambda s: 2 - s.losses / 3 + s.tradeoff * -s.losses,
    "negatives": lambda s: -(-s.losses - -1.5) - -s.tradeoff,
    "alpha": lambda s: torch.add(s.losses, s.tradeoff, alpha=-0.5).sub(s.losses.exp(), alpha=2),
    "powers": lambda s: s.losses**0.3 + s.losses**2 + 2**s.losses + s.losses**s.tradeoff,
    "roots": lambda s: s.losses.sqrt() * s.losses.rsqrt() + s.losses.sqrt(),
    "logarithms": lambda s: s.losses.log() + s.losses.log1p() + s.losses.reciprocal(),
    "bounds": lambda s: s.losses.clamp(0.5, 1.5) + s.losses.clamp_min(1) + s.losses.clamp_max(0.7),
    "choices": lambda s: torch.where(
        (s.losses > 1) & ~(s.tradeoff < 0.5) | (s.losses == s.losses.amax()), s.losses, 0.1
    ),
    "sums": lambda s: s.losses / s.losses.sum() + s.losses.mean(-1, keepdim=True) + s.losses.prod(),
    "extremes": lambda s: torch.maximum(s.losses, s.tradeoff) - torch.minimum(s.losses, s.tradeoff),
    "soft": lambda s: s.losses.softmax(-1) + s.losses.sigmoid() + s.losses.tanh(),
    "softer": lambda s: s.losses.logsumexp(0) + torch.nn.functional.softplus(30 * s.gramian[0]),
    "views": lambda s: (
        torch.stack([s.losses[1], s.losses[0]]).flip(0)[None].expand(3, -1)[1:].mT[:, 0]
    ),
    "lists": lambda s: torch.cat([part[None] + 1 for part in s.losses.unbind()]),
    "vectors": lambda s: s.gramian @ s.losses + s.losses @ s.losses + s.losses @ s.gramian,
    "matrices": lambda s: (s.gramian @ s.gramian.mT).diagonal() + torch.diag_embed(s.losses)[1],
    "norms": lambda s: s.gramian.norm(dim=-1) + torch.linalg.vector_norm(s.losses),
    "signs": lambda s: s.gramian[0].sign() + s.gramian[1].abs() + s.losses.neg().relu(),
    "precision": lambda s: (s.losses.double() / 3 + 0.1).to(s.losses.dtype),
    "constants": lambda s: s.losses * torch.tensor([0.1, 3.0]).to(s.losses) + torch.eye(2)[0],
    "likes": lambda s: torch.ones_like(s.losses) + s.losses.new_full((2,), 0.5) * s.tradeoff,
    "infinite": lambda s: torch.where(s.losses > 0, s.losses, float("inf")) + s.progress,
    "filled": lambda s: s.losses.masked_fill(s.losses > 1, -2) - s.losses.lerp(s.losses**2, 0.3),
}


@dataclass(frozen=True)
class _Rule(Weighting):
    needs = "gramian"
    name: str = ""

    def weights(self, step):
        return RULES[self.name](step), step.state


@pytest.mark.parametrize("name", RULES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_operations(name, dtype):
    assert compiled_rule(_Rule(name), 2, {}, dtype).address


def test_a_wrong_translation_is_noticed(monkeypatch):
    wrong = {**translate.TRANSLATIONS, torch.ops.aten.exp: lambda _, values: values}
    monkeypatch.setattr(translate, "TRANSLATIONS", wrong)
    with pytest.raises(UntranslatableError, match="other numbers"):
        compiled_rule(_Rule("alpha"), 2, {}, torch.float64)


def test_what_differs_at_later_steps_is_noticed(monkeypatch):
    class Drifting(Weighting):
        def initial_state(self, tasks):
            return {"before": torch.zeros(tasks)}

        def weights(self, step):
            return torch.ones_like(step.losses), {"before": step.state["before"] + step.losses}

    def ends(sketch, tensor):
        return ["0" if "v" in value else value for value in original(sketch, tensor)]

    original = translate.Sketch.values
    monkeypatch.setattr(translate.Sketch, "values", ends)
    with pytest.raises(UntranslatableError, match="other numbers"):
        compiled_rule(Drifting(), 2, {}, torch.float64)


def test_a_long_rule_is_not_worth_its_compilation():
    with pytest.raises(UntranslatableError, match="more than 5000 lines"):
        compiled_rule(_Rule("matrices"), 24, {}, torch.float32)


TRUTHS = {
    "sum of truths": lambda s: 1 + ((s.losses < 0.5) + (s.losses < 2)).to(s.losses.dtype),
    "type of a sum": lambda s: s.losses + s.losses.sum(dtype=torch.float32),
}


@pytest.mark.parametrize("name", TRUTHS)
def test_what_means_something_else_in_cpp(name, monkeypatch):
    monkeypatch.setitem(RULES, name, TRUTHS[name])
    with pytest.raises(UntranslatableError):
        compiled_rule(_Rule(name), 2, {}, torch.float64)


EDGES = {
    "empty sums": lambda s: s.losses + torch.full_like(s.losses, -torch.inf).logsumexp(0).exp(),
    "full sums": lambda s: torch.where(s.losses < 9, torch.inf, s.losses).logsumexp(0) + s.losses,
    "roots of less than nothing": lambda s: (s.losses - torch.inf) ** 0.5,
    "between infinities": lambda s: s.losses.lerp(s.losses + torch.inf, 1.0),
    "the other way round": lambda s: torch.rsub(s.losses, s.tradeoff, alpha=3),
    "diagonals": lambda s: torch.diag_embed(s.losses).sigmoid()[0],
    "nothing known": lambda s: torch.maximum(s.losses, s.losses / s.losses.relu().sub(s.losses)),
}


@pytest.mark.parametrize("name", EDGES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_edges_of_operations(name, dtype, monkeypatch):
    monkeypatch.setitem(RULES, name, EDGES[name])
    assert compiled_rule(_Rule(name), 2, {}, dtype).address


def test_examples_follow_the_rules_own_state():
    steps = list(check.examples(_Rule("sums"), 2, torch.float64))
    assert len(steps) == check.CASES * check.STEPS
    assert all(torch.linalg.eigvalsh(step.gramian).min() > -1e-9 for step in steps)
