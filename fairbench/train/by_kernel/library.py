"""The kernel's structures, held against the library's own account of them before it is used.

`structures` mirrors by hand what ``fairbench/kernel/source`` declares. A field
that is missing, renamed, or of another size on one side would have the kernel read and write
memory that is not its own.
"""

from __future__ import annotations

import ctypes
from collections.abc import Mapping

from fairbench import kernel
from fairbench.train.by_kernel import structures

__all__ = ["check", "library", "mirrored"]

STRUCTURES = (
    structures.Layer,
    structures.Dropout,
    structures.Task,
    structures.Network,
    structures.Optimizer,
    structures.Weighting,
    structures.Run,
)
ENUMS = {
    "Kind": structures.KINDS,
    "TaskKind": structures.TASKS,
    "OptimizerKind": structures.OPTIMIZERS,
}
CONSTANTS = {"MOST_TASKS": structures.MOST_TASKS, "OF_TASKS": structures.OF_TASKS}

Layout = Mapping[str, tuple[int, ...]]
"""Size of a structure; offset and size of a field; number of an enum's members; value of a member
or constant: by name, as in ``Run``, ``Run.stride``, ``Kind``, ``Kind.RELU``, ``MOST_TASKS``."""


def library() -> ctypes.CDLL:
    """The compiled kernel, with the structures that are mirrored here.

    Raises
    ------
    KernelError
        Where there is none, or one with other structures.
    """
    found = kernel.library()
    check(found)
    return found


def check(library: ctypes.CDLL, /) -> None:
    """Compare the structures of `library` with those of Python.

    Raises
    ------
    KernelError
        Where they differ; it names the first ten differences.
    """
    library.layout.restype = ctypes.c_char_p
    theirs, ours = _read(library.layout().decode()), mirrored()
    differences = [
        f"{name} is {_told(theirs.get(name))} in C++ and {_told(ours.get(name))} in Python"
        for name in {**theirs, **ours}
        if theirs.get(name) != ours.get(name)
    ]
    if differences:
        raise kernel.KernelError(
            "the compiled kernel and fairbench/train/by_kernel/structures.py differ: "
            + "; ".join(differences[:10])
            + ". Install fairbench again: its files come from more than one version"
        )


def mirrored() -> Layout:
    """The layout as Python declares it."""
    found: dict[str, tuple[int, ...]] = {}
    for structure in STRUCTURES:
        found[structure.__name__] = (ctypes.sizeof(structure),)
        for name, *_ in structure._fields_:
            field = getattr(structure, name)
            found[f"{structure.__name__}.{name}"] = (field.offset, field.size)
    for enum, members in ENUMS.items():
        found[enum] = (len(members),)
        found |= {f"{enum}.{name.upper()}": (value,) for value, name in enumerate(members)}
    return found | {name: (value,) for name, value in CONSTANTS.items()}


def _read(text: str) -> Layout:
    """The layout as the library tells it, a name and its numbers on each line."""
    lines = [line.split() for line in text.splitlines()]
    return {name: tuple(map(int, numbers)) for name, *numbers in lines}


def _told(numbers: tuple[int, ...] | None) -> str:
    if numbers is None:
        return "absent"
    if len(numbers) == 2:
        return f"{numbers[1]} bytes at {numbers[0]}"
    return str(numbers[0])
