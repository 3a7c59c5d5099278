"""Which engine trains a chunk: the compiled kernel where it can, torch's operations elsewhere."""

from __future__ import annotations

from fairbench import kernel
from fairbench.train.by_kernel.engine import KernelEngine, supports
from fairbench.train.by_torch.engine import TorchEngine
from fairbench.train.engine import Engine
from fairbench.train.prepared import Prepared
from fairbench.train.rules import looks_again, reads_gradients

__all__ = ["engine_for"]


def engine_for(prepared: Prepared, /) -> Engine:
    """Return the engine that ``training.kernel`` asks for, where it has what the chunk needs.

    Raises
    ------
    StudyError
        When the compiled kernel is asked for by name and there is none.
    """
    wanted = prepared.work.training.kernel
    if wanted != "torch" and not (supports(prepared) and _supports_weighting(prepared)):
        wanted = "torch"
    if kernel.chosen(wanted, prepared.work.device) == "compiled":
        return KernelEngine(prepared)
    return TorchEngine(prepared)


def _supports_weighting(prepared: Prepared) -> bool:
    """Return whether the kernel has what the weighting asks for; leave a note where not."""
    rule = type(prepared.weighting)
    if not (reads_gradients(rule) or looks_again(rule)):
        return True
    what = "every gradient" if reads_gradients(rule) else "each batch again after its step"
    prepared.notes.append(f"{rule.__qualname__} trains with torch's operations: it looks at {what}")
    return False
