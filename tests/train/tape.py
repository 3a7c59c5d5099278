"""A recording of a step on a CPU, as a CUDA graph is one on a GPU.

It knows operations and the memory they read and wrote, and nothing of the Python around them: what
a step read from a number or a tensor that is replaced later, it would go on reading.
"""

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


class Tape(TorchDispatchMode):
    """Writes operations down while they run."""

    def __init__(self):
        super().__init__()
        self.operations = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        if func is torch.ops.aten._local_scalar_dense.default:
            message = "operation not permitted when stream is capturing"
            raise RuntimeError(message)
        kwargs = kwargs or {}
        results = func(*args, **kwargs)
        aliases = [a.alias_info for a in func._schema.arguments if a.alias_info]
        if not aliases or any(alias.is_write for alias in aliases):  # else a view: nothing to do
            self.operations.append((func, args, kwargs, [] if aliases else tree_leaves(results)))
        return results

    def replay(self):
        for func, args, kwargs, results in self.operations:
            for old, new in zip(results, tree_leaves(func(*args, **kwargs)), strict=False):
                if old is not None:
                    old.detach().copy_(new)


def record(step):
    tape = Tape()
    with tape:
        step()

    def replay():
        with torch.no_grad():
            tape.replay()

    return replay
