"""One thread per chunk: chunks are what is parallel, and sums keep one order everywhere."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["limit_threads", "one_thread"]

_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


@contextmanager
def one_thread() -> Iterator[None]:
    """Keep torch, BLAS and OpenMP to one thread within the block."""
    import scipy.linalg  # noqa: F401  # its BLAS has to be loaded to be limited
    import torch
    from threadpoolctl import threadpool_limits

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with threadpool_limits(1):
            yield
    finally:
        torch.set_num_threads(before)


def limit_threads() -> None:
    """Keep this process to one thread for good; libraries loaded later read the environment."""
    os.environ.update(dict.fromkeys(_VARIABLES, "1"))
    import scipy.linalg  # noqa: F401
    import torch
    from threadpoolctl import threadpool_limits

    torch.set_num_threads(1)
    threadpool_limits(1)
