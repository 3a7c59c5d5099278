"""The user's C++ compiler: which one, for which processor, and what becomes of a call of it."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import subprocess
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from fairbench.errors import StudyError

__all__ = ["KernelError", "command", "output", "target"]

COMPILERS = ("c++", "g++", "clang++")
NATIVE = "-march=native"
PATIENCE = 300.0

_FAULT = re.compile(
    r".*(?:terminated program|due to signal|unable to execute command|internal compiler error"
    r"|no space left|error writing|out of memory|cannot allocate|memory exhausted"
    r"|input/output error|resource temporarily unavailable).*",
    re.IGNORECASE,
)
"""What compilers write where it is not the source that they object to: their own driver survives
the signal that ends the part which compiles, and exits with 1."""

_SHELL_SIGNALS = range(129, 160)
"""Exit codes by which a shell says that a signal ended what it called."""


class KernelError(Exception):
    """Why there is no compiled kernel: no compiler, or one that refuses; another try is useless."""


@cache
def target() -> tuple[tuple[str, ...], str]:
    """How the compiler is called, and all that it knows about itself and the processor."""
    compiler = command()
    for native in ((NATIVE,), ()):
        called = (*compiler, *native)
        try:
            return called, output([*called, "-dM", "-E", "-x", "c++", os.devnull])
        except KernelError:
            continue
    raise KernelError(f"{shlex.join(compiler)} does not work as a C++ compiler")


def command() -> list[str]:
    """What ``CXX`` says, or the first compiler on the PATH."""
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


def output(called: Sequence[str], folder: Path | None = None, /) -> str:
    """What a call of the compiler prints, in English.

    A compiler that is killed, or runs out of memory, disk or time, says nothing about the source:
    it is called once more, and must not decide silently how a run is trained.

    Raises
    ------
    KernelError
        Where it refuses.
    StudyError
        Where it was ended twice.
    """
    for attempt in (1, 2):
        done = _run(called, folder)
        if isinstance(done, subprocess.CompletedProcess):
            fault = _fault(done)
            if fault is None:
                break
        else:
            fault = done
        if attempt == 2:
            raise StudyError(
                f"the C++ compiler did not finish, twice: {fault}",
                where=shlex.join(called[:1]),
                hint="run the same command again when memory and disk allow, or train with "
                "torch's operations: --set training.kernel=torch",
            )
    assert isinstance(done, subprocess.CompletedProcess)
    if done.returncode:
        complaint = next((line for line in done.stderr.splitlines() if "error" in line), "")
        raise KernelError(f"{called[0]} failed ({done.returncode}): {complaint}".rstrip(": "))
    return done.stdout


def _run(called: Sequence[str], folder: Path | None) -> subprocess.CompletedProcess[str] | str:
    """The finished call, or why it did not finish."""
    try:
        return subprocess.run(  # noqa: S603  # the compiler that the user chose
            called,
            cwd=folder,
            env=os.environ | {"LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=PATIENCE,
            check=False,
        )
    except (FileNotFoundError, PermissionError, NotADirectoryError) as error:
        raise KernelError(f"{called[0]} could not be run: {error}") from error
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)


def _fault(done: subprocess.CompletedProcess[str]) -> str | None:
    """What ended a compiler from outside; None where it ended by itself."""
    code = done.returncode
    if code == 0:
        return None
    number = -code if code < 0 else code - 128 if code in _SHELL_SIGNALS else 0
    if number:
        known = number in {*signal.Signals}
        name = signal.Signals(number).name if known else f"signal {number}"
        return f"it was ended by {name}"
    found = _FAULT.search(done.stderr)
    return found.group().strip() if found else None
