"""Do methods really make regression models fairer? Benchmarks with honest protocols."""

from fairbench._version import __version__

__all__ = ["__version__"]
