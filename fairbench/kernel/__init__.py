"""The training kernel: C++ that is compiled once on the machine it runs on."""

from fairbench.kernel.build import chosen, describe, library, trouble

__all__ = ["chosen", "describe", "library", "trouble"]
