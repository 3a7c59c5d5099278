"""Do methods really make regression models fairer? Benchmarks with honest protocols.

>>> import fairbench  # doctest: +SKIP
>>> run = fairbench.run(fairbench.Study(methods=["static-alpha"], datasets=["parkinson"]))
>>> run.fronts()
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from fairbench._version import __version__

if TYPE_CHECKING:
    from fairbench.analyze import Run
    from fairbench.dataset import DatasetSpec
    from fairbench.runner import run
    from fairbench.study import MethodSpec, ProtocolSpec, Study

__all__ = ["DatasetSpec", "MethodSpec", "ProtocolSpec", "Run", "Study", "__version__", "run"]

_HOMES = {
    "DatasetSpec": "fairbench.dataset",
    "MethodSpec": "fairbench.study",
    "ProtocolSpec": "fairbench.study",
    "Run": "fairbench.analyze",
    "Study": "fairbench.study",
    "run": "fairbench.runner",
}


def __getattr__(name: str) -> Any:
    """Import on first use: `import fairbench` alone stays instant."""
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'fairbench' has no attribute {name!r}")
