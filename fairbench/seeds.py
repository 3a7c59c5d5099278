"""Where randomness comes from: one seed per purpose, derived by name from the study's entropy."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fairbench.method import Trial

__all__ = ["derive", "dropout_seed", "initial_seed", "order_seed", "split_seed"]


def derive(entropy: int, /, *purpose: object) -> int:
    """A 63-bit seed that depends on every part of `purpose` and on nothing else."""
    text = "\x1f".join([str(entropy), *map(repr, purpose)])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little") >> 1


def split_seed(entropy: int, split: int, /) -> int:
    """Seed of split number `split`: the same for every method and value."""
    return derive(entropy, "split", split)


def initial_seed(entropy: int, trial: Trial, /) -> int:
    """Seed of the initial weights: trials of one seed and split start alike."""
    return derive(entropy, "initial", trial.dataset, trial.split, trial.seed)


def order_seed(entropy: int, trial: Trial, /) -> int:
    """Seed of the order in which rows are visited: shared likewise."""
    return derive(entropy, "order", trial.dataset, trial.split, trial.seed)


def dropout_seed(entropy: int, trial: Trial, /) -> int:
    """Seed of dropout and of other noise during training: the trial's own."""
    return derive(
        entropy, "dropout", trial.dataset, trial.method, trial.value, trial.split, trial.seed
    )
