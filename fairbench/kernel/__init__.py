"""The training kernel: C++ that is compiled once on the machine it runs on."""

from fairbench.kernel.build import Kernel, KernelError, chosen, describe, library, rule, trouble

__all__ = ["Kernel", "KernelError", "chosen", "describe", "library", "rule", "trouble"]
