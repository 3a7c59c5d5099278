"""More than two tasks: the same defining properties, and reference computations."""

from __future__ import annotations

from itertools import permutations

import pytest
import torch

from fairbench_weightings._solve import minimum_in_cone, minimum_on_simplex, solve

TASKS = [3, 4]


def update(weights, gradients):
    return (weights[..., None] * gradients).sum(-2)


def inner(gradients, direction):
    return (gradients @ direction[..., None]).squeeze(-1)


def test_solve_is_torchs_solve(draw):
    gradients = draw(20, 4)
    matrix, right = gradients @ gradients.mT * 1e9, draw(20, 4, seed=1)[..., :2]
    torch.testing.assert_close(solve(matrix, right), torch.linalg.solve(matrix, right))


@pytest.mark.parametrize("tasks", [2, *TASKS])
def test_mgda_satisfies_the_optimality_conditions(tasks, weigh, draw):
    gradients = draw(300, tasks)
    weights = weigh("mgda", gradients @ gradients.mT)
    direction = update(weights, gradients)
    gap = inner(gradients, direction) - direction.square().sum(-1, keepdim=True)
    torch.testing.assert_close(weights.sum(-1), torch.ones(300, dtype=torch.float64))
    assert weights.min() >= 0
    assert gap.min() > -1e-9
    assert (weights * gap).abs().max() < 1e-9


@pytest.mark.parametrize("tasks", [2, *TASKS])
def test_cagrad_closes_the_duality_gap(tasks, weigh, draw):
    gradients = draw(300, tasks)
    mean = gradients.mean(-2)
    radius = 0.5 * mean.norm(dim=-1)
    weights = weigh("cagrad", gradients @ gradients.mT)
    direction = update(weights, gradients)
    torch.testing.assert_close((direction - mean).norm(dim=-1), radius)
    added = weights - 1 / tasks
    mixed = update(added / added.sum(-1, keepdim=True), gradients)
    dual = (mixed * mean).sum(-1) + radius * mixed.norm(dim=-1)
    torch.testing.assert_close(inner(gradients, direction).amin(-1), dual, rtol=1e-8, atol=1e-8)


def test_enumeration_agrees_with_the_closed_forms(weigh, draw):
    """With two tasks both exist."""
    gradients = draw(200, 2)
    gramian = gradients @ gradients.mT
    zero = torch.zeros_like(gramian[..., 0])
    found = minimum_on_simplex(gramian, zero, torch.ones_like(zero[..., 0]))
    torch.testing.assert_close(found, weigh("mgda", gramian), rtol=1e-7, atol=1e-7)
    each = torch.eye(2, dtype=torch.float64) / 2
    found = minimum_in_cone(gramian, each.expand_as(gramian)).sum(-2)
    torch.testing.assert_close(found, weigh("upgrad", gramian), rtol=1e-7, atol=1e-7)
    mean = torch.full_like(gramian[..., :1, :], 0.5)
    found = minimum_in_cone(gramian, mean).squeeze(-2)
    torch.testing.assert_close(found, weigh("dualproj", gramian), rtol=1e-7, atol=1e-7)


@pytest.mark.parametrize("tasks", TASKS)
def test_cone_problems_satisfy_the_optimality_conditions(tasks, draw):
    gradients = draw(200, tasks)
    gramian = gradients @ gradients.mT
    lower = draw(200, tasks, seed=1)[..., :tasks].abs()
    points = minimum_in_cone(gramian, lower)
    slope = points @ gramian
    assert (points - lower).min() >= 0
    assert slope.min() > -1e-8
    assert ((points - lower) * slope).abs().max() < 1e-8


@pytest.mark.parametrize("name", ["mgda", "upgrad", "dualproj", "nash-mtl", "config"])
@pytest.mark.parametrize("tasks", TASKS)
def test_no_task_is_worsened(name, tasks, weigh, draw):
    gradients = draw(300, tasks)
    direction = update(weigh(name, gradients @ gradients.mT), gradients)
    rise = inner(gradients, direction) / direction.norm(dim=-1, keepdim=True)
    assert rise.min() > -1e-9


@pytest.mark.parametrize("tasks", TASKS)
def test_nash_solves_its_equation(tasks, weigh, draw):
    gradients = draw(300, tasks)
    gramian = gradients @ gradients.mT
    weights = weigh("nash-mtl", gramian)
    assert weights.min() > 0
    shares = weights * inner(gramian, weights)
    torch.testing.assert_close(shares, torch.ones_like(shares), rtol=1e-8, atol=1e-8)


def test_nash_solves_problems_that_nearly_have_no_solution(weigh, draw):
    """Six gradients almost on one line, some of them reversed."""
    common, side = draw(1000, 1, seed=5), draw(1000, 6, seed=6)[..., :1].sign()
    gradients = 0.1 * draw(1000, 6) + common * side
    gramian = gradients @ gradients.mT
    weights = weigh("nash-mtl", gramian)
    assert weights.min() > 0
    scaled = weights * gradients.norm(dim=-1)
    assert scaled.max() <= 100
    within = scaled.amax(-1) < 99.9  # beyond, the weights are held, and the equation is not solved
    assert 900 < within.sum() < 1000
    shares = (weights * inner(gramian, weights))[within]
    torch.testing.assert_close(shares, torch.ones_like(shares), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("tasks", TASKS)
def test_imtl_g_has_equal_projections(tasks, weigh, draw):
    gradients = draw(100, tasks)
    weights = weigh("imtl-g", gradients @ gradients.mT)
    torch.testing.assert_close(weights.sum(-1), torch.ones(100, dtype=torch.float64))
    units = gradients / gradients.norm(dim=-1, keepdim=True)
    projections = inner(units, update(weights, gradients))
    torch.testing.assert_close(
        projections, projections[:, :1].expand_as(projections), rtol=1e-8, atol=1e-8
    )


@pytest.mark.parametrize("tasks", TASKS)
def test_config_has_equal_cosines_and_the_length_of_all_projections(tasks, weigh, draw):
    gradients = draw(100, tasks)
    direction = update(weigh("config", gradients @ gradients.mT), gradients)
    length = direction.norm(dim=-1)
    cosines = inner(gradients, direction) / gradients.norm(dim=-1) / length[:, None]
    torch.testing.assert_close(cosines, cosines[:, :1].expand_as(cosines), rtol=1e-8, atol=1e-8)
    torch.testing.assert_close(inner(gradients, direction).sum(-1) / length, length)


def test_config_leaves_zero_gradients_out(weigh, draw):
    gradients = draw(50, 3)
    two = weigh("config", gradients[:, :2] @ gradients[:, :2].mT)
    gradients[:, 2] = 0.0
    three = weigh("config", gradients @ gradients.mT)
    torch.testing.assert_close(three[:, :2], two, rtol=1e-9, atol=1e-9)
    assert torch.equal(three[:, 2], torch.ones(50, dtype=torch.float64))


@pytest.mark.parametrize("tasks", TASKS)
def test_pcgrad_is_the_mean_over_all_orders(tasks, weigh, draw):
    for gradients in draw(5, tasks, seed=4):
        total = torch.zeros(6, dtype=torch.float64)
        for i in range(tasks):
            orders = list(permutations(j for j in range(tasks) if j != i))
            for order in orders:
                mine = gradients[i].clone()
                for j in order:
                    conflict = (mine @ gradients[j]).clamp_max(0)
                    mine -= conflict / gradients[j].square().sum() * gradients[j]
                total += mine / len(orders)
        found = update(weigh("pcgrad", gradients @ gradients.mT), gradients)
        torch.testing.assert_close(found, total)


@pytest.mark.parametrize("tasks", [3, 4, 9])
@pytest.mark.parametrize("alpha", [0.5, 1.0, 2.0, 5.0])
def test_fairgrad_solves_its_equation(tasks, alpha, weigh):
    """Also of gradients whose lengths are a thousand apart."""
    random = torch.Generator().manual_seed(0)
    gradients = torch.randn(50, tasks, 12, generator=random, dtype=torch.float64)
    gradients = gradients * torch.logspace(-1.5, 1.5, tasks, dtype=torch.float64)[:, None]
    gramian = gradients @ gradients.mT
    weights = weigh("fairgrad", gramian, alpha=alpha)
    assert weights.min() > 0
    shares = inner(gramian, weights) * weights ** (1 / alpha)
    torch.testing.assert_close(shares, torch.ones_like(shares), rtol=1e-4, atol=0)


@pytest.mark.parametrize("tasks", TASKS)
def test_fairgrad_with_alpha_1_is_nash(tasks, weigh, draw):
    gradients = draw(50, tasks)
    gramian = gradients @ gradients.mT
    found = weigh("fairgrad", gramian, alpha=1.0)
    torch.testing.assert_close(found, weigh("nash-mtl", gramian), rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("tasks", [3, 4, 6])
def test_aligned_mtl_has_components_of_one_length(tasks, weigh, draw):
    """The update is the sum of rows that are orthogonal and as long as the shortest component."""
    for gradients in draw(20, tasks):
        left, singular, right = torch.linalg.svd(gradients, full_matrices=False)
        expected = singular[-1] * (left @ right).sum(0)
        found = update(weigh("aligned-mtl", gradients @ gradients.mT), gradients)
        torch.testing.assert_close(found, expected, rtol=1e-7, atol=1e-9)


def test_two_tasks_of_aligned_mtl_and_fairgrad_are_the_general_form(weigh, draw):
    from fairbench_weightings import aligned_mtl, fairgrad

    gradients = draw(100, 2)
    gramian = gradients @ gradients.mT
    n = gradients.norm(dim=-1)
    found = fairgrad._of_many(gramian, n, 0.5)
    torch.testing.assert_close(found, weigh("fairgrad", gramian), rtol=1e-6, atol=1e-9)
    unit = gramian / gramian.diagonal(dim1=-2, dim2=-1).sum(-1)[..., None, None]
    torch.testing.assert_close(
        aligned_mtl._of_many(unit), weigh("aligned-mtl", gramian), rtol=1e-6, atol=1e-9
    )


def test_gradvac_lifts_every_pair_in_the_order_it_drew(rule, step, draw):
    """The paper's loop, on the gradients themselves, over several steps."""
    one, state = rule("gradvac", decay=0.3), None
    targets = torch.zeros(3, 3, dtype=torch.float64)
    for gradients, noise in zip(draw(6, 3), draw(6, 3, seed=1)[..., 0], strict=True):
        now = step(one, gramian=gradients @ gradients.mT, noise=noise, state=state)
        weights, state = one.weights(now)
        lifted = gradients.clone()
        for i in range(3):
            for j in noise.argsort().tolist():
                if i == j:
                    continue
                phi = torch.cosine_similarity(lifted[i], gradients[j], dim=0)
                if phi < (aim := targets[i, j].clone()):
                    root, sine = (1 - aim**2).sqrt(), (1 - phi**2).sqrt()
                    share = (aim * sine - phi * root) / root
                    lifted[i] += share * lifted[i].norm() / gradients[j].norm() * gradients[j]
                targets[i, j] += 0.3 * (phi - aim)
        torch.testing.assert_close(update(weights, gradients), lifted.sum(0))
        torch.testing.assert_close(state["target"], targets)
