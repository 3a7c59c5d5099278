"""How networks are trained: the settings that trials of a study share."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, Literal

from annotated_types import Ge, Gt, Le, Lt

__all__ = ["Training"]

MOST = 10**9
"""Of anything that is counted in `Training`."""


@dataclass(frozen=True, slots=True)
class Training:
    """How a network is trained; other estimators take what applies to them.

    Parameters
    ----------
    epochs, batch_size
        Passes over the training rows, and rows per step; the last batch may be short.
    optimizer, lr, momentum, weight_decay
        As torch defines them; `momentum` is for sgd only.
    schedule
        ``constant``, ``cosine`` (to 0 over all epochs) or ``step`` (×0.1 at 1/2 and 3/4).
    clip_norm
        Largest Euclidean norm of one trial's whole gradient; None for no clipping.
    patience, min_delta
        Early stopping: epochs without an improvement of at least `min_delta` in the main
        task's validation loss before a trial stops and gets its best weights back; None: off.
    chain
        Number of neighbouring trade-off values trained one after the other, each starting from
        the weights of the one before; 1 trains every value from scratch.
    dtype
        Precision of parameters and data.
    scale_targets
        Whether networks learn targets standardised on training rows, or in their own units.
    lanes
        Most trials (or chains of them) that make a chunk and train side by side. On a CPU more
        than the 64 of the default leave the cache; a GPU wants as many as its memory holds.
    memory
        About how many MiB the networks of one chunk may take at once; a chunk that would take
        more is trained in several stacks, one after the other.
    kernel
        What computes the steps of networks: ``compiled`` takes C++ that is compiled once on the
        machine (common layers in a sequence with linear heads, on a CPU; other networks take
        torch), ``torch`` takes torch's operations, on any device (none but a CPU has run them so
        far). ``auto`` compiles on a CPU where there is a compiler, and takes ``torch`` elsewhere.
        The compiled kernel rounds differently.
    """

    epochs: Annotated[int, Ge(1), Le(MOST)] = 50
    batch_size: Annotated[int, Ge(1), Le(MOST)] = 32
    optimizer: Literal["adam", "adamw", "sgd"] = "adam"
    lr: Annotated[float, Gt(0), Lt(math.inf)] = 0.01
    momentum: Annotated[float, Ge(0), Lt(1)] = 0.0
    weight_decay: Annotated[float, Ge(0), Lt(math.inf)] = 0.0
    schedule: Literal["constant", "cosine", "step"] = "constant"
    clip_norm: Annotated[float, Gt(0), Lt(math.inf)] | None = None
    patience: Annotated[int, Ge(1), Le(MOST)] | None = None
    min_delta: Annotated[float, Ge(0), Lt(math.inf)] = 0.0
    chain: Annotated[int, Ge(1), Le(MOST)] = 1
    dtype: Literal["float32", "float64"] = "float32"
    scale_targets: bool = True
    lanes: Annotated[int, Ge(1), Le(MOST)] = 64
    memory: Annotated[int, Ge(1), Le(MOST)] = 1024
    kernel: Literal["auto", "compiled", "torch"] = "auto"
