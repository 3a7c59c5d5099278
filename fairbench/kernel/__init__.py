"""The training kernel: C++ that is compiled once on the machine it runs on."""

from fairbench.kernel.build import Kernel, chosen, describe, digest, library, rule, trouble
from fairbench.kernel.compiler import KernelError

__all__ = [
    "Kernel",
    "KernelError",
    "chosen",
    "describe",
    "digest",
    "library",
    "rule",
    "trouble",
]
