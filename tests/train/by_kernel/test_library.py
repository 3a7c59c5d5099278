"""The structures of Python are those of the compiled kernel, and what differs is named."""

import ctypes

import pytest

from fairbench.kernel import KernelError, build
from fairbench.train.by_kernel import library, structures
from fairbench_paper.static_alpha import StaticAlpha
from tests.train.conftest import make_work

LINES = [
    " ".join([name, *map(str, numbers)]) for name, numbers in library.mirrored().items()
]  # fmt: skip


class Library:
    """A library that says these lines."""

    def __init__(self, lines):
        class Layout:
            restype = None

            def __call__(self):
                return "\n".join(lines).encode()

        self.layout = Layout()


def differences(lines):
    with pytest.raises(KernelError) as caught:
        library.check(Library(lines))
    return str(caught.value)


def test_everything_that_is_mirrored_is_compared():
    kinds = {
        kind
        for kind in vars(structures).values()
        if isinstance(kind, type) and issubclass(kind, ctypes.Structure)
    }
    assert kinds == set(library.STRUCTURES)
    fields = sum(len(kind._fields_) for kind in library.STRUCTURES)
    assert len(LINES) == fields + 7 + 3 + 6 + 3 + 3 + 2


def test_the_kernel_has_the_same():
    library.check(build.library())


@pytest.mark.parametrize("line", LINES)
def test_a_line_that_differs_is_named(line):
    """Whatever is one byte or place off, absent, or there in the kernel alone."""
    name, *numbers, last = line.split()
    altered = " ".join([name, *numbers, str(int(last) + 1)])
    assert name in differences([altered if each == line else each for each in LINES])
    assert f"{name} is absent in C++" in differences([each for each in LINES if each != line])
    assert f"{name}x is" in differences([*LINES, f"{name}x 1"])


CHANGES = {
    "structures": (
        ("int32_t start, width;       // its outputs", "int64_t start, width;"),
        ("double beta1, beta2, eps,", "double beta2, beta1, eps,"),
    ),
    "numbers": (("RELU, TANH", "RELU, GELU, TANH"), ("MOST_TASKS = 64", "MOST_TASKS = 32")),
}
"""What somebody might change in C++ alone."""

SAID = {
    "structures": (
        "Task.start is 8 bytes at 8 in C++ and 4 bytes at 4 in Python",
        "Optimizer.beta1 is 8 bytes at 16 in C++ and 8 bytes at 8 in Python",
    ),
    "numbers": (
        "Kind is 7 in C++ and 6 in Python",
        "Kind.TANH is 4 in C++ and 3 in Python",
        "MOST_TASKS is 32 in C++ and 64 in Python",
    ),
}

ONLY_LAYOUT = '#include "layout.h"\nextern "C" const char* layout() { return described().c_str(); }'


@pytest.mark.parametrize("kind", CHANGES)
def test_sources_that_differ(kind, tmp_path, monkeypatch):
    found = []
    for file in build.SOURCE.iterdir():
        text = file.read_text()
        for was, becomes in CHANGES[kind]:
            found += [was] * text.count(was)
            text = text.replace(was, becomes)
        (tmp_path / file.name).write_text(text)
    assert sorted(found) == sorted(was for was, _ in CHANGES[kind])
    monkeypatch.setattr(build, "SOURCE", tmp_path)
    with pytest.raises(KernelError) as caught:
        library.check(build._loaded(ONLY_LAYOUT, build.RULE_FLAGS)[0])
    assert all(said in str(caught.value) for said in SAID[kind])


def test_nothing_trains_with_another_layout(monkeypatch):
    monkeypatch.setitem(library.CONSTANTS, "MOST_TASKS", 65)
    with pytest.raises(KernelError, match="MOST_TASKS is 64 in C\\+\\+ and 65 in Python"):
        StaticAlpha().train(make_work((1.0,), kernel="compiled"))
