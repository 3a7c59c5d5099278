"""Compiles the kernel and rules with the user's C++ compiler, and keeps results in the cache.

The name of a cached file is a hash of the source, the compiler, its flags and the processor's
instruction set, so that machines that share a cache never load one another's.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Literal

from fairbench.cache import cache_dir
from fairbench.errors import StudyError

__all__ = ["Kernel", "KernelError", "chosen", "describe", "library", "rule", "trouble"]

SOURCE = Path(__file__).with_name("source")
ENTRY = "kernel.cpp"
COMPILERS = ("c++", "g++", "clang++")
FLAGS = (
    "-std=c++17",
    "-O3",
    "-ffp-contract=fast",  # a product and a sum in one instruction, rounded once
    "-fno-math-errno",  # square roots without a call
    "-fno-trapping-math",
    "-shared",
    "-fPIC",
)
RULE_FLAGS = ("-std=c++17", "-O2", "-fno-math-errno", "-shared", "-fPIC")
NATIVE = "-march=native"
PATIENCE = 300.0

Kernel = Literal["torch", "compiled", "graph"]


class KernelError(Exception):
    """Why there is no compiled kernel."""


def chosen(wanted: str, device: str, /) -> Kernel:
    """One of the kernels, for ``auto`` or its name; compiles where that is due.

    Raises
    ------
    StudyError
        When ``compiled`` or ``graph`` is wanted and cannot be had.
    """
    if wanted == "torch" or (wanted == "auto" and device != "cpu"):
        return "torch"
    if wanted == "graph":
        if device == "cuda":  # the current one, which records
            return "graph"
        raise StudyError(
            f"steps are recorded as CUDA graphs on a GPU, not on {device}",
            where="training.kernel",
            mend="train with --device cuda, or leave training.kernel at auto",
        )
    reason = f"it runs on a CPU, not on {device}" if device != "cpu" else trouble()
    if reason is None:
        return "compiled"
    if wanted == "auto":
        return "torch"
    raise StudyError(
        f"there is no compiled kernel: {reason}",
        where="training.kernel",
        mend="install a C++ compiler (g++ or clang++, or name one in CXX), "
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
    """What compiled the kernel, as its compiler calls itself."""
    version = _output([*_compiler(), "--version"])
    return version.splitlines()[0].strip()


def library() -> ctypes.CDLL:
    """The compiled kernel."""
    found = _library()
    if isinstance(found, str):
        raise KernelError(found)
    return found


@cache
def _library() -> ctypes.CDLL | str:
    """The same, or why there is none: a compiler that failed is not asked again."""
    try:
        return _loaded(SOURCE / ENTRY, FLAGS)
    except KernelError as error:
        return str(error)


@cache
def rule(source: str, /) -> ctypes.CDLL:
    """A weighting's rule in C++, compiled."""
    return _loaded(source, RULE_FLAGS)


@cache
def _target() -> tuple[tuple[str, ...], str]:
    """How the compiler is called, and all that it knows about itself and the processor."""
    compiler = _compiler()
    for native in ((NATIVE,), ()):
        command = (*compiler, *native)
        try:
            return command, _output([*command, "-dM", "-E", "-x", "c++", os.devnull])
        except KernelError:
            continue
    raise KernelError(f"{shlex.join(compiler)} does not work as a C++ compiler")


def _compiler() -> list[str]:
    wanted = os.environ.get("CXX", "")
    try:
        named = shlex.split(wanted)
    except ValueError as error:
        raise KernelError(f"CXX cannot be read: {error}: {wanted!r}") from error
    if named:
        if shutil.which(named[0]) is None:
            raise KernelError(f"CXX names {named[0]!r}, which is not on the PATH")
        return named
    found = next(filter(None, map(shutil.which, COMPILERS)), None)
    if found is None:
        raise KernelError(f"no C++ compiler on the PATH ({', '.join(COMPILERS)})")
    return [found]


def _built(source: Path | str, flags: Sequence[str]) -> Path:
    """The library that is made of a file or a text, from the cache where it is there."""
    from filelock import FileLock

    compiler, macros = _target()
    text = "" if isinstance(source, Path) else source
    digest = hashlib.sha256("\0".join([*compiler, *flags, macros, text]).encode())
    for file in sorted(SOURCE.iterdir()):
        digest.update(file.name.encode() + b"\0" + file.read_bytes())
    try:
        folder = cache_dir() / "kernel"
    except StudyError as error:
        raise KernelError(error.what) from error
    place = folder / f"{digest.hexdigest()[:32]}.so"
    if place.is_file():
        return place
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with (
            FileLock(place.with_suffix(".lock")),
            tempfile.TemporaryDirectory(dir=folder) as draft,
        ):
            if not place.is_file():
                made = Path(draft, place.name)
                if isinstance(source, str):
                    source = Path(draft, "rule.cpp")
                    source.write_text(text, encoding="utf-8")
                _output([*compiler, *flags, f"-I{SOURCE}", str(source), "-o", str(made)])
                if not made.is_file():
                    raise KernelError(f"{shlex.join(compiler)} made no library")
                made.replace(place)
    except (OSError, NotImplementedError) as error:  # the latter of a disk without locks
        raise KernelError(f"the cache cannot be written: {error}") from error
    return place


def _loaded(source: Path | str, flags: Sequence[str]) -> ctypes.CDLL:
    """The library that is made of a file or a text; one that is broken is made again."""
    place = _built(source, flags)
    try:
        return ctypes.CDLL(str(place))
    except OSError:
        place.unlink(missing_ok=True)
    place = _built(source, flags)
    try:
        return ctypes.CDLL(str(place))
    except OSError as error:
        raise KernelError(f"{place} cannot be loaded: {error}") from error


def _output(command: Sequence[str]) -> str:
    """What `command` prints, in English."""
    try:
        done = subprocess.run(  # noqa: S603  # the compiler that the user chose
            command,
            env=os.environ | {"LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=PATIENCE,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise KernelError(f"{command[0]} could not be run: {error}") from error
    if done.returncode:
        complaint = next((line for line in done.stderr.splitlines() if "error" in line), "")
        raise KernelError(f"{command[0]} failed ({done.returncode}): {complaint}".rstrip(": "))
    return done.stdout
