"""How a stack lies in memory for the compiled kernel."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from fairbench.train.by_kernel.padded import ALIKE, LINE, NEAR, Form, PaddedStack, Place, apart


@given(size=st.integers(1, 20_000), kinds=st.integers(1, 80), item=st.sampled_from([4, 8]))
def test_what_a_trial_holds_lies_apart(size, kinds, item):
    stride = apart(size, kinds, item)
    assert stride >= size
    assert stride * item % LINE == 0
    places = sorted(k * stride * item % ALIKE for k in range(kinds))
    gaps = [b - a for a, b in zip(places, [*places[1:], places[0] + ALIKE], strict=True)]
    assert min(gaps) >= min(NEAR, ALIKE // kinds // LINE * LINE)
    assert stride * item < size * item + ALIKE + LINE


def test_trials_that_stay_keep_all_that_is_theirs():
    form = Form({"weight": Place(0, (1, 16)), "bias": Place(48, (1,))}, 0, 0, 0, 64)
    parameters = {"weight": torch.arange(24.0).view(2, 4, 3), "bias": torch.ones(2, 4)}
    buffers = {"mean": torch.tensor([[1.0], [2.0]])}
    stack = PaddedStack.padded(parameters, buffers, form, 5)
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
