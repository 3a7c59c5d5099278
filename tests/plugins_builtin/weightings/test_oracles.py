"""Against TorchJD, on gradients of ordinary size.

Its CAGrad and its projections change their answer where the trace of the Gramian is small, and
its MGDA and CAGrad stop early: tolerances are theirs.
"""

from __future__ import annotations

import pytest
import torch
from torchjd import aggregation
from torchjd.linalg import QuadprogProjector

TOLERANCES = {"cagrad": 1e-3, "fairgrad": 1e-5, "gradvac": 1e-6}
CASES = [
    *[(name, tasks) for name in ("mgda", "cagrad", "upgrad", "dualproj") for tasks in (2, 3)],
    *[(name, tasks) for name in ("imtl-g", "config") for tasks in (2, 3, 4)],
    *[(name, 2) for name in ("pcgrad", "gradvac")],
    *[(name, tasks) for name in ("fairgrad", "aligned-mtl") for tasks in (2, 3, 5)],
]


def oracle(name, tasks):
    ones = torch.ones(tasks, dtype=torch.float64)
    match name:
        case "mgda":
            return aggregation.MGDA(epsilon=1e-12, max_iters=20_000)
        case "cagrad":
            pytest.importorskip("clarabel", reason="an extra of the oracle")
            return aggregation.CAGrad(c=0.5)
        case "upgrad" | "dualproj":
            pytest.importorskip("quadprog", reason="an extra of the oracle")
            projector = QuadprogProjector(norm_eps=1e-12, reg_eps=1e-12)
            rule = aggregation.UPGrad if name == "upgrad" else aggregation.DualProj
            return rule(projector=projector)
        case "fairgrad":
            return aggregation.FairGrad(2.0)
        case "aligned-mtl":
            return aggregation.AlignedMTL(pref_vector=ones)
    plain = {
        "imtl-g": aggregation.IMTLG,
        "config": aggregation.ConFIG,
        "pcgrad": aggregation.PCGrad,
        "gradvac": aggregation.GradVac,
    }
    return plain[name]()


@pytest.mark.parametrize(("name", "tasks"), CASES)
def test_update_is_torchjds(name, tasks, weigh, draw):
    gradients = draw(12, tasks, seed=7)
    weights = weigh(name, gradients @ gradients.mT)
    found = (weights[..., None] * gradients).sum(-2)
    aggregator = oracle(name, tasks)
    for one, mine in zip(gradients, found, strict=True):
        if name == "gradvac":
            aggregator.reset()
        theirs = aggregator(one)
        limit = 1e-2 if (name, tasks) == ("mgda", 3) else TOLERANCES.get(name, 1e-8)
        assert (mine - theirs).norm() < limit * theirs.norm()


def test_gradvac_follows_torchjds_moving_average(rule, step, draw):
    one, state = rule("gradvac"), None
    aggregator = aggregation.GradVac(eps=1e-15)
    for gradients in draw(10, 2, seed=8):
        weights, state = one.weights(step(one, gramian=gradients @ gradients.mT, state=state))
        found = (weights[:, None] * gradients).sum(0)
        torch.testing.assert_close(found, aggregator(gradients), rtol=1e-7, atol=1e-7)
