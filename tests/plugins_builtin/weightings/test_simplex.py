"""Rules whose weights lie on the simplex: the projection, MoDo and SDMGrad."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize
from torchjd import aggregation

from fairbench_weightings._simplex import project
from fairbench_weightings._solve import quadratic_on_simplex

DTYPE = torch.float64
numbers = st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=8)


def tensor(*values):
    return torch.tensor(values, dtype=DTYPE)


def test_projections_in_numbers():
    assert project(tensor(0.3, 0.3)).tolist() == pytest.approx([0.5, 0.5])
    assert project(tensor(2, 0)).tolist() == pytest.approx([1, 0])
    assert project(tensor(0.2, 0.5, 0.3)).tolist() == pytest.approx([0.2, 0.5, 0.3])


@settings(max_examples=100, deadline=None)
@given(numbers)
def test_the_projection_is_that_by_sorting(values):
    points = tensor(*values)
    found = project(points)
    falling = points.sort(descending=True).values
    thetas = (falling.cumsum(0) - 1) / torch.arange(1, len(values) + 1)
    last = int((falling > thetas).nonzero()[-1])
    expected = (points - thetas[last]).clamp_min(0)
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-9)
    assert found.sum().item() == pytest.approx(1)
    torch.testing.assert_close(project(found), found, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("tasks", [2, 3, 5])
def test_a_quadratic_meets_its_optimality_conditions(tasks, draw):
    gradients = draw(100, tasks)
    gramian, linear = gradients @ gradients.mT, draw(100, tasks, seed=1)[..., 0]
    w = quadratic_on_simplex(gramian, linear)
    slope = (gramian @ w[..., None]).squeeze(-1) + linear
    gap = slope - (slope * w).sum(-1, keepdim=True)
    assert w.min() >= 0
    torch.testing.assert_close(w.sum(-1), torch.ones(100, dtype=DTYPE))
    assert gap.min() > -1e-9
    assert (gap * w).abs().max() < 1e-9


# ---- SDMGrad


@pytest.mark.parametrize("lam", [0.1, 0.3, 2.0])
def test_sdmgrad_is_the_minimum(lam, weigh, draw):
    gradients = draw(20, 2)
    found = weigh("sdmgrad", gradients @ gradients.mT, lam=lam)
    for rows, weights in zip(gradients, found, strict=True):

        def square(first, rows=rows):
            w = tensor(float(first[0]), 1 - float(first[0]))
            return float((w @ rows + lam * rows.mean(0)).square().sum())

        best = minimize(square, [0.5], bounds=[(0, 1)], tol=1e-12).x[0]
        expected = (best + lam / 2) / (1 + lam)
        assert weights[0].item() == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("tasks", [2, 3, 4])
def test_sdmgrad_lies_between_mgda_and_the_mean(tasks, weigh, draw):
    gradients = draw(50, tasks)
    gramian = gradients @ gradients.mT
    none, much = (weigh("sdmgrad", gramian, lam=lam) for lam in (0.0, 1e6))
    torch.testing.assert_close(none, weigh("mgda", gramian), rtol=1e-9, atol=1e-10)
    torch.testing.assert_close(much, torch.full_like(much, 1 / tasks), rtol=0, atol=2e-6)


def test_two_tasks_of_sdmgrad_are_the_general_form(weigh, draw):
    gradients = draw(100, 2)
    gramian = gradients @ gradients.mT
    w = quadratic_on_simplex(gramian, 0.3 * gramian.mean(-1))
    torch.testing.assert_close(weigh("sdmgrad", gramian), (w + 0.15) / 1.3, rtol=1e-7, atol=1e-7)


@pytest.mark.parametrize("tasks", [2, 3])
def test_sdmgrad_is_torchjds_at_a_rate_that_converges(tasks, weigh, draw):
    from torchjd.aggregation import SDMGradWeighting

    for rows in draw(5, tasks, seed=3):
        gramian = rows @ rows.mT
        oracle = SDMGradWeighting(lr=0.3, n_iter=4000, lambda_=0.3)
        torch.testing.assert_close(weigh("sdmgrad", gramian), oracle(gramian), rtol=1e-3, atol=1e-3)


# ---- MoDo


def followed(rule, step, gramian, steps, **options):
    one, state = rule("modo", **options), None
    for _ in range(steps):
        weights, state = one.weights(step(one, gramian=gramian, state=state))
    return weights


def test_modo_steps_are_torchjds(rule, step, draw):
    oracle = aggregation.MoDoWeighting(gamma=0.05, rho=0.1)
    one, state = rule("modo", gamma=0.05, rho=0.1), None
    for rows in draw(10, 3, seed=2):
        gramian = rows @ rows.mT
        weights, state = one.weights(step(one, gramian=gramian, state=state))
        torch.testing.assert_close(weights, oracle(gramian), rtol=1e-6, atol=1e-9)


def test_modo_comes_to_the_minimum(rule, step, draw):
    gradients = draw(10, 2)
    gramian, rho = gradients @ gradients.mT, 0.1
    found = followed(rule, step, gramian, 2000, gamma=0.02, rho=rho)
    first, second, inner = gramian[..., 0, 0], gramian[..., 1, 1], gramian[..., 0, 1]
    expected = (second + rho - inner) / (first + second + 2 * rho - 2 * inner)
    torch.testing.assert_close(found[..., 0], expected.clamp(0, 1), rtol=1e-4, atol=1e-4)
    without = followed(rule, step, gramian, 5000, gamma=0.02, rho=0.0)
    one = rule("mgda")
    mgda, _ = one.weights(step(one, gramian=gramian))
    torch.testing.assert_close(without, mgda, rtol=1e-3, atol=1e-3)


def test_modo_stands_still_without_a_step(rule, step, draw):
    gradients = draw(5, 3)
    found = followed(rule, step, gradients @ gradients.mT, 5, gamma=0.0)
    torch.testing.assert_close(found, torch.full_like(found, 1 / 3))
