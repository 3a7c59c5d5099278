"""How a stack lies in memory for the compiled kernel."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from fairbench.train.by_kernel.padded import (
    ALIASED,
    CACHE_LINE,
    IN_FLIGHT,
    Offset,
    PaddedLayout,
    PaddedStack,
    unaliased_stride,
)


@given(size=st.integers(1, 20_000), kinds=st.integers(1, 80), item=st.sampled_from([4, 8]))
def test_what_a_trial_holds_does_not_alias(size, kinds, item):
    stride = unaliased_stride(size, kinds, item)
    assert stride >= size
    assert stride * item % CACHE_LINE == 0
    places = sorted(k * stride * item % ALIASED for k in range(kinds))
    gaps = [b - a for a, b in zip(places, [*places[1:], places[0] + ALIASED], strict=True)]
    assert min(gaps) >= min(IN_FLIGHT, ALIASED // kinds // CACHE_LINE * CACHE_LINE)
    assert stride * item < size * item + ALIASED + CACHE_LINE


def test_trials_that_stay_keep_all_that_is_theirs():
    layout = PaddedLayout({"weight": Offset(0, (1, 16)), "bias": Offset(48, (1,))}, 0, 0, 0, 64)
    parameters = {"weight": torch.arange(24.0).view(2, 4, 3), "bias": torch.ones(2, 4)}
    buffers = {"mean": torch.tensor([[1.0], [2.0]])}
    stack = PaddedStack.padded(parameters, buffers, layout, 5)
    for name, given_tensor in parameters.items():
        torch.testing.assert_close(stack.parameters[name], given_tensor, rtol=0, atol=0)
    stack.numbers[1, 2:] = 7
    stack.slots["bias"].fill_(3)
    kept = stack.kept(torch.tensor([1]))
    assert kept.lanes == 1
    assert kept.finite().tolist() == [True]
    torch.testing.assert_close(kept.parameters["weight"], parameters["weight"][1:])
    torch.testing.assert_close(kept.numbers, stack.numbers[1:])
    assert (kept.slots["bias"] == 3).all()
    assert kept.buffers["mean"].tolist() == [[2.0]]
    kept.parameters["weight"].zero_()
    assert kept.flat.sum() == 4  # its own memory, seen through every name
    assert stack.parameters["weight"][1].sum() == parameters["weight"][1].sum()
