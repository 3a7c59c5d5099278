"""Compiles the kernel and rules with the user's C++ compiler, and loads them.

What a library is made of, and hence its key in the cache, is the source, the compiler, its flags
and the processor's instruction set, so that machines that share a cache never load one another's.
The same source, flags and compiler give the same bytes, in whichever folder.
"""

from __future__ import annotations

import ctypes
import hashlib
import shlex
import sys
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Literal

from fairbench.errors import StudyError
from fairbench.kernel.compiler import KernelError, command, output, target
from fairbench.kernel.shelf import Library, kept

__all__ = [
    "Kernel",
    "chosen",
    "describe",
    "digest",
    "library",
    "rule",
    "trouble",
]

SOURCE = Path(__file__).with_name("source")
ENTRY = "kernel.cpp"
SHARED = (
    "-std=c++17",
    "-shared",
    "-fPIC",
    "-frandom-seed=fairbench",
    *(["-Wl,--build-id=none", "-s"] if sys.platform == "linux" else []),
)
"""Apart from optimisation: a library whose bytes depend on nothing but what it is made of."""
FLAGS = (
    *SHARED,
    "-O3",
    "-ffp-contract=fast",  # a product and a sum in one instruction, rounded once
    "-fno-math-errno",  # square roots without a call
    "-fno-trapping-math",
)
RULE_FLAGS = (*SHARED, "-O2", "-fno-math-errno")

Kernel = Literal["torch", "compiled"]


def chosen(wanted: str, device: str, /) -> Kernel:
    """One of the kernels, for ``auto`` or its name; compiles where that is due.

    Raises
    ------
    StudyError
        When ``compiled`` is wanted and cannot be had.
    """
    if wanted == "torch" or (wanted == "auto" and device != "cpu"):
        return "torch"
    reason = f"it runs on a CPU, not on {device}" if device != "cpu" else trouble()
    if reason is None:
        return "compiled"
    if wanted == "auto":
        return "torch"
    raise StudyError(
        f"there is no compiled kernel: {reason}",
        where="training.kernel",
        hint="install a C++ compiler (g++ or clang++, or name one in CXX), "
        "or train with torch's operations: --set training.kernel=torch",
    )


def trouble() -> str | None:
    """Why there is no compiled kernel, or None where there is one; compiles it if need be."""
    try:
        library()
    except KernelError as error:
        return str(error)
    return None


def describe() -> str:
    """What compiled the kernel, as its compiler calls itself, and what it made of it."""
    version = output([*command(), "--version"])
    return f"{version.splitlines()[0].strip()}, sha256 {digest()}"


def digest() -> str:
    """The SHA-256 of the compiled kernel's bytes."""
    return _made()[1].digest


def library() -> ctypes.CDLL:
    """The compiled kernel."""
    return _made()[0]


def _made() -> tuple[ctypes.CDLL, Library]:
    found = _kernel()
    if isinstance(found, str):
        raise KernelError(found)
    return found


@cache
def _kernel() -> tuple[ctypes.CDLL, Library] | str:
    """The kernel, or why there is none: a compiler that refused is not asked again."""
    try:
        return _loaded(SOURCE / ENTRY, FLAGS)
    except KernelError as error:
        return str(error)


@cache
def rule(source: str, /) -> ctypes.CDLL:
    """A weighting's rule in C++, compiled.

    Raises
    ------
    KernelError
        Where the compiler refuses it.
    StudyError
        Where the compiler was killed, or the like.
    """
    return _loaded(source, RULE_FLAGS)[0]


def _loaded(source: Path | str, flags: Sequence[str]) -> tuple[ctypes.CDLL, Library]:
    """The library that is made of a file or a text, from the cache where it is there."""
    compiler, macros = target()
    text = source if isinstance(source, str) else ""
    hashed = hashlib.sha256("\0".join([*compiler, *flags, macros, text]).encode())
    for file in sorted(SOURCE.iterdir()):
        hashed.update(file.name.encode() + b"\0" + file.read_bytes())

    def make(folder: Path) -> Path:
        entry = folder / "library.cpp"
        entry.write_bytes(text.encode() if isinstance(source, str) else source.read_bytes())
        paths = [f"-ffile-prefix-map={folder}=.", f"-ffile-prefix-map={SOURCE}=."]
        output([*compiler, *flags, *paths, f"-I{SOURCE}", entry.name, "-o", "made.so"], folder)
        made = folder / "made.so"
        if not made.is_file():
            raise KernelError(f"{shlex.join(compiler)} made no library")
        return made

    found = kept(hashed.hexdigest()[:32], make)
    try:
        return ctypes.CDLL(str(found.path)), found
    except OSError as error:
        raise KernelError(f"{found.path} cannot be loaded: {error}") from error
