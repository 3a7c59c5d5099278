"""The compiled kernel under AddressSanitizer and UndefinedBehaviorSanitizer: `tox -e fuzz`."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from fairbench.kernel import build

pytestmark = [
    pytest.mark.fuzz,
    pytest.mark.timeout(3600),
    pytest.mark.skipif(
        sys.platform != "linux" or shutil.which("g++") is None,
        reason="preloads the runtime of g++'s sanitizer",
    ),
]

ROOT = Path(__file__).parents[2]
X86 = platform.machine() == "x86_64"
VECTORS = ("", "-mno-avx512f", "-mno-avx") if X86 else ("",)


def preloaded() -> str:
    """The runtimes that have to be there before Python: g++ says where they are."""
    asked = (["g++", f"-print-file-name={name}"] for name in ("libasan.so", "libstdc++.so"))
    return " ".join(subprocess.check_output(call, text=True).strip() for call in asked)


def fuzzed(source: Path, examples: int, flags: str = "") -> subprocess.CompletedProcess[str]:
    """Train so many cases with the kernel of `source` in a process of its own."""
    environment = os.environ | {
        "LD_PRELOAD": preloaded(),
        "CXX": f"g++ {flags}",
        "ASAN_OPTIONS": "detect_leaks=0:detect_stack_use_after_return=1",
        "UBSAN_OPTIONS": "print_stacktrace=1",
        "OMP_NUM_THREADS": "1",
    }
    return subprocess.run(
        [sys.executable, "-m", "tests.fuzz.child", str(source), str(examples)],
        cwd=ROOT, env=environment, capture_output=True, text=True, timeout=3000, check=False,
    )  # fmt: skip


def told(done: subprocess.CompletedProcess[str]) -> str:
    """The last case and what became of it."""
    return "\n".join([*done.stdout.splitlines()[-1:], done.stderr[-6000:]])


@pytest.mark.parametrize("flags", VECTORS)
def test_odd_sizes(flags):
    done = fuzzed(build.SOURCE, 250, flags)
    assert done.returncode == 0, told(done)
    assert re.fullmatch(r"\d{3} cases agree", done.stdout.splitlines()[-1])


PLANTED = {
    "a write behind the end": (
        "kernel.cpp",
        "found[(i * count + row + b) * of.net.outputs + o] =",
        "found[(i * count + row + b) * of.net.outputs + o + 1] =",
        "AddressSanitizer: heap-buffer-overflow",
    ),
    "a read behind the end": (
        "kernel.cpp",
        "? static_cast<const T*>(run.scales) + trial * net.tasks",
        "? static_cast<const T*>(run.scales) + (trial + 1) * net.tasks",
        "AddressSanitizer: heap-buffer-overflow",
    ),
    "too little room": (
        "places.h",
        "return padded<T>(total);",
        "return padded<T>(total) - LANES<T>;",
        "AddressSanitizer: heap-buffer-overflow",
    ),
    "a result of the stack": (
        "kernel.cpp",
        "now = shares;",
        "now = [&]() __attribute__((noinline)) { T own[MOST_TASKS];"
        " std::copy_n(shares, MOST_TASKS, own); const T* volatile out = own; return out; }();",
        "AddressSanitizer: stack-use-after-return",
    ),
    "a shift too far": (
        "random.h",
        "b ^ (b >> 11)",
        "b ^ (b >> (uint64_t(count != 0) * 64 + 11))",
        "runtime error: shift exponent 75 is too large",
    ),
    "a wrong number": (
        "network.h",
        "return s * (1 - v * v);",
        "return s * (1 - v);",
        "AssertionError",
    ),
}
"""Defects of a copy of the source, and what has to be said of each."""


@pytest.mark.parametrize(("file", "was", "becomes", "said"), PLANTED.values(), ids=PLANTED)
def test_what_is_planted_is_found(file, was, becomes, said, tmp_path):
    source = tmp_path / "source"
    shutil.copytree(build.SOURCE, source)
    text = (source / file).read_text()
    assert text.count(was) == 1
    (source / file).write_text(text.replace(was, becomes))
    done = fuzzed(source, 60)
    assert done.returncode != 0
    assert said in done.stderr, told(done)
