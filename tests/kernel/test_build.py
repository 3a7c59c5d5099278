"""The kernel is compiled once, kept, and done without where it cannot be had."""

import ctypes
import platform
import stat
import subprocess
import sys

import pytest

from fairbench.errors import StudyError
from fairbench.kernel import build
from fairbench_paper.static_alpha import StaticAlpha
from tests.train.agreement import assert_agrees
from tests.train.conftest import make_work


@pytest.fixture
def fresh(tmp_path, monkeypatch):
    """An empty cache, and nothing remembered from before."""
    caches = (build._library, build.rule, build._target)
    for function in caches:
        function.cache_clear()
    monkeypatch.setenv("FAIRBENCH_CACHE", str(tmp_path / "a cache"))
    yield tmp_path
    for function in caches:
        function.cache_clear()


def compiler(folder, body):
    """A compiler of our own, as a shell script."""
    script = folder / "my c++"
    script.write_text(f"#!/bin/sh\n{body}\n")
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    return f"'{script}'"


SMALL = 'extern "C" int answer() { return 42; }'


def test_a_source_is_compiled_once(fresh, monkeypatch):
    counted = compiler(fresh, f'echo run >> "{fresh}/calls"\nexec c++ "$@"')
    monkeypatch.setenv("CXX", counted)
    assert build.rule(SMALL).answer() == 42
    before = (fresh / "calls").read_text()
    build.rule.cache_clear()
    assert build.rule(SMALL).answer() == 42
    assert (fresh / "calls").read_text() == before
    files = sorted(p.suffix for p in (fresh / "a cache" / "kernel").iterdir())
    assert files == [".lock", ".so"]


def test_another_source_compiler_or_kernel_is_another_file(fresh, monkeypatch, tmp_path):
    build.rule(SMALL)
    build.rule(SMALL.replace("42", "43"))
    build._target.cache_clear()
    build.rule.cache_clear()
    monkeypatch.setenv("CXX", "c++ -DOTHER")
    build.rule(SMALL)
    build.rule.cache_clear()
    altered = tmp_path / "source"
    altered.mkdir()
    for file in build.SOURCE.iterdir():
        (altered / file.name).write_bytes(file.read_bytes() + b"\n")
    monkeypatch.setattr(build, "SOURCE", altered)
    build.rule(SMALL)
    assert len(list((fresh / "a cache" / "kernel").glob("*.so"))) == 4


def test_processes_that_compile_at_once_do_not_disturb_each_other(fresh):
    script = (
        "import sys; from fairbench.kernel.build import rule\n"
        "assert rule(sys.argv[1]).answer() == 42"
    )
    each = [subprocess.Popen([sys.executable, "-c", script, SMALL]) for _ in range(4)]
    assert [process.wait(timeout=120) for process in each] == [0] * 4


def test_what_is_wanted(fresh, monkeypatch):
    assert build.chosen("auto", "cpu") == build.chosen("compiled", "cpu") == "compiled"
    assert build.chosen("torch", "cpu") == "torch"
    assert build.chosen("auto", "cuda") == "torch"
    with pytest.raises(StudyError, match="runs on a CPU, not on cuda"):
        build.chosen("compiled", "cuda")
    assert isinstance(build.library(), ctypes.CDLL)


@pytest.mark.parametrize(
    ("cxx", "complaint"),
    [
        ("no-such-compiler", "'no-such-compiler', which is not on the PATH"),
        ("true", "made no library"),
        ("false", "does not work as a C\\+\\+ compiler"),
        ("'unbalanced", "CXX cannot be read: No closing quotation"),
    ],
)
def test_without_a_compiler(fresh, monkeypatch, cxx, complaint):
    monkeypatch.setenv("CXX", cxx)
    assert build.chosen("auto", "cpu") == "torch"
    with pytest.raises(StudyError, match=complaint) as error:
        build.chosen("compiled", "cpu")
    assert "training.kernel=torch" in error.value.mend


def test_nothing_on_the_path(fresh, monkeypatch):
    monkeypatch.delenv("CXX", raising=False)
    monkeypatch.setenv("PATH", str(fresh))
    assert build.trouble() == "no C++ compiler on the PATH (c++, g++, clang++)"


def test_a_compiler_that_refuses_is_quoted(fresh, monkeypatch):
    knows = 'case "$*" in *-dM*) exec c++ "$@";; esac'
    refusing = f'{knows}\necho "kernel.cpp:1: error: too old" >&2\nexit 3'
    monkeypatch.setenv("CXX", compiler(fresh, refusing))
    assert "kernel.cpp:1: error: too old" in build.trouble()
    assert not list((fresh / "a cache" / "kernel").glob("*.so"))


def test_without_march(fresh, monkeypatch):
    """Compilers that do not know this processor by itself still compile."""
    body = 'case "$*" in *-march=native*) exit 1;; esac\nexec c++ "$@"'
    monkeypatch.setenv("CXX", compiler(fresh, body))
    assert build.trouble() is None
    assert build.library().vector_length(1) in (4, 8, 16)


@pytest.mark.skipif(platform.machine() != "x86_64", reason="names instruction sets of x86")
@pytest.mark.parametrize(("without", "length"), [("avx512f", 8), ("avx", 4)])
def test_shorter_vectors(fresh, monkeypatch, without, length):
    """What older processors have gives the same numbers."""
    monkeypatch.setenv("CXX", f"c++ -mno-{without}")
    assert build.library().vector_length(1) <= length
    architecture = {"hidden": (9, 17), "dropout": 0.2, "batch_norm": True}
    assert_agrees(StaticAlpha(architecture=architecture), make_work((0.5, 4.4), kernel="compiled"))


def test_a_cache_that_cannot_be_written(fresh, monkeypatch):
    (fresh / "file").write_text("")
    monkeypatch.setenv("FAIRBENCH_CACHE", str(fresh / "file"))
    assert "the cache cannot be written" in build.trouble()


def test_the_home_of_nobody(fresh, monkeypatch):
    monkeypatch.setenv("FAIRBENCH_CACHE", "~nosuchuser/x")
    assert build.chosen("auto", "cpu") == "torch"
    assert "'~nosuchuser/x' is no folder" in build.trouble()


def test_a_compiler_that_failed_is_not_asked_again(fresh, monkeypatch):
    knows = 'case "$*" in *-dM*) exec c++ "$@";; esac'
    monkeypatch.setenv("CXX", compiler(fresh, f'{knows}\necho run >> "{fresh}/calls"\nexit 1'))
    assert build.trouble() == build.trouble() is not None
    assert (fresh / "calls").read_text() == "run\n"


def test_a_broken_file_in_the_cache_is_made_again(fresh):
    build.rule(SMALL)
    (made,) = (fresh / "a cache" / "kernel").glob("*.so")
    made.unlink()
    made.write_bytes(b"")
    script = "import sys; from fairbench.kernel.build import rule; rule(sys.argv[1]).answer()"
    subprocess.run([sys.executable, "-c", script, SMALL], check=True, timeout=120)
    assert made.stat().st_size
