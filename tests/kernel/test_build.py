"""The kernel is compiled once, kept, and done without where it cannot be had."""

import ctypes
import hashlib
import os
import platform
import stat
import subprocess
import sys

import pytest
import torch

from fairbench.errors import StudyError
from fairbench.kernel import build, shelf
from fairbench.kernel import compiler as calls
from fairbench.train.by_kernel.rule import compiled_rule
from fairbench_paper.static_alpha import StaticAlpha
from fairbench_weightings.gradnorm import GradNorm
from tests.train.agreement import assert_agrees
from tests.train.conftest import make_work


@pytest.fixture
def fresh(tmp_path, monkeypatch):
    """An empty cache, and nothing remembered from before."""
    caches = (build._kernel, build.rule, calls.target, shelf._folder)
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
    calls.target.cache_clear()
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
        "import sys; from fairbench.kernel import rule\nassert rule(sys.argv[1]).answer() == 42"
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
    (kept,) = (fresh / "a cache" / "kernel").glob("*.so")
    assert hashlib.sha256(kept.read_bytes()).hexdigest() == build.digest()
    assert build.describe().endswith(f", sha256 {build.digest()}")


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
    assert "training.kernel=torch" in error.value.hint


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


def test_the_home_of_nobody(fresh, monkeypatch):
    monkeypatch.setenv("FAIRBENCH_CACHE", "~nosuchuser/x")
    assert build.chosen("auto", "cpu") == "torch"
    assert "'~nosuchuser/x' is no folder" in build.trouble()


def test_a_compiler_that_failed_is_not_asked_again(fresh, monkeypatch):
    knows = 'case "$*" in *-dM*) exec c++ "$@";; esac'
    monkeypatch.setenv("CXX", compiler(fresh, f'{knows}\necho run >> "{fresh}/calls"\nexit 1'))
    assert build.trouble() == build.trouble() is not None
    assert (fresh / "calls").read_text() == "run\n"


STRUCK = """
tried=$(cat "{folder}/tried" 2>/dev/null || echo 0)
case "$*" in *{of}*)
    echo $((tried + 1)) > "{folder}/tried"
    if [ $tried -lt {times} ]; then {how}; fi;;
esac
exec c++ "$@"
"""
"""A compiler that is struck the first times it is called in that way."""

KILLED = "kill -9 $$"
PART_KILLED = 'echo "c++: fatal error: Killed signal terminated program cc1plus" >&2; exit 1'
NO_ROOM = 'echo "made.s: fatal error: error writing to x.o: No space left on device" >&2; exit 1'


@pytest.mark.parametrize("how", [KILLED, PART_KILLED, NO_ROOM, "exit 137"])
@pytest.mark.parametrize("of", ["-dM", "-shared"])
def test_a_compiler_that_is_struck_is_called_once_more(fresh, monkeypatch, of, how):
    body = STRUCK.format(folder=fresh, of=of, times=1, how=how)
    monkeypatch.setenv("CXX", compiler(fresh, body))
    assert build.rule(SMALL).answer() == 42
    assert "-march=native" in calls.target()[0]  # not slower, silently
    assert (fresh / "tried").read_text() == "2\n"


@pytest.mark.parametrize(
    ("how", "named"),
    [(KILLED, "SIGKILL"), (PART_KILLED, "terminated program cc1plus"), (NO_ROOM, "No space left")],
)
@pytest.mark.parametrize("of", ["-dM", "-shared"])
def test_one_that_is_struck_twice_is_an_error(fresh, monkeypatch, of, how, named):
    """Of the run, whichever kernel it asked for: another kernel gives other last digits."""
    body = STRUCK.format(folder=fresh, of=of, times=2, how=how)
    monkeypatch.setenv("CXX", compiler(fresh, body))
    with pytest.raises(StudyError, match=f"did not finish, twice: .*{named}") as caught:
        build.chosen("auto", "cpu")
    assert "training.kernel=torch" in caught.value.hint


def test_a_rule_whose_compiler_is_killed_does_not_stay_with_torch(fresh, monkeypatch):
    body = STRUCK.format(folder=fresh, of="-O2", times=2, how=KILLED)
    monkeypatch.setenv("CXX", compiler(fresh, body))
    with pytest.raises(StudyError, match="SIGKILL"):
        compiled_rule(GradNorm(), 2, {}, torch.float64)
    assert compiled_rule(GradNorm(), 2, {}, torch.float64).address


def test_the_same_source_is_the_same_bytes_in_any_folder(fresh, monkeypatch):
    source = f'#include "product.h"\n{SMALL}\nconst char* place() {{ return __FILE__; }}'
    made = []
    for name in ("one", "another, with a longer name"):
        monkeypatch.setenv("FAIRBENCH_CACHE", str(fresh / name))
        for function in (build.rule, shelf._folder):
            function.cache_clear()
        build.rule(source)
        (path,) = (fresh / name / "kernel").glob("*.so")
        made.append(path)
    assert made[0].name == made[1].name
    assert made[0].read_bytes() == made[1].read_bytes()
    assert str(fresh).encode() not in made[0].read_bytes()


@pytest.mark.slow
def test_so_is_the_kernel(fresh, monkeypatch):
    digests = set()
    for name in ("one", "another"):
        monkeypatch.setenv("FAIRBENCH_CACHE", str(fresh / name))
        for function in (build._kernel, shelf._folder):
            function.cache_clear()
        digests.add(build.digest())
    assert len(digests) == 1


RULE = "import sys; from fairbench.kernel import rule; print(rule(sys.argv[1]).answer())"


def answers(*flags: str) -> subprocess.CompletedProcess[str]:
    """What a process of its own makes of the library: a broken one would end it."""
    return subprocess.run(
        [sys.executable, *flags, "-c", RULE, SMALL],
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip


@pytest.mark.parametrize("damage", ["empty", "truncated", "flipped", "other", "link", "writable"])
def test_a_damaged_library_is_made_again(fresh, damage):
    build.rule(SMALL)
    (made,) = (fresh / "a cache" / "kernel").glob("*.so")
    whole = made.read_bytes()
    made.unlink()  # this process has it mapped
    match damage:
        case "empty":
            made.write_bytes(b"")
        case "truncated":
            made.write_bytes(whole[: len(whole) // 2])
        case "flipped":
            made.write_bytes(whole[:900] + bytes([whole[900] ^ 1]) + whole[901:])
        case "other":
            build.rule.cache_clear()
            build.rule(SMALL.replace("42", "43"))
            (other,) = (fresh / "a cache" / "kernel").glob("*.so")
            other.rename(made)
        case "link":
            (fresh / "elsewhere").write_bytes(whole)
            made.symlink_to(fresh / "elsewhere")
        case "writable":
            made.write_bytes(whole)
            made.chmod(0o775)
    done = answers("-W", "error")
    assert (done.stdout, done.stderr) == ("42\n", "")
    assert made.read_bytes() == whole
    assert stat.S_IMODE(made.lstat().st_mode) == 0o700


def theirs(path):
    os.chown(path, 12345, 12345)


@pytest.mark.parametrize("what", ["file", "folder"])
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_library_of_another_user_is_not_loaded(fresh, what):
    """Its hash is right: whoever wrote it wrote the name as well."""
    build.rule(SMALL)
    folder = fresh / "a cache" / "kernel"
    (made,) = folder.glob("*.so")
    theirs(made if what == "file" else folder)
    build.rule.cache_clear()
    shelf._folder.cache_clear()
    if what == "folder":
        with pytest.warns(UserWarning, match="kernel belongs to another user"):
            assert build.rule(SMALL).answer() == 42
        (own,) = (fresh / "a cache" / f"kernel-{os.geteuid()}").glob("*.so")
        assert own.name == made.name
    else:
        assert build.rule(SMALL).answer() == 42
        assert made.stat().st_uid == os.geteuid()


@pytest.mark.parametrize("mode", [0o777, 0o770])
def test_a_folder_that_others_can_write_is_not_used(fresh, mode):
    folder = fresh / "a cache" / "kernel"
    folder.mkdir(parents=True)
    folder.chmod(mode)
    with pytest.warns(UserWarning, match=r"can be written by others .*chmod go-w"):
        assert build.rule(SMALL).answer() == 42
    assert not list(folder.iterdir())
    assert list((fresh / "a cache").glob("kernel-*/*.so"))


def test_a_cache_that_cannot_be_written(fresh, monkeypatch):
    (fresh / "file").write_text("")
    monkeypatch.setenv("FAIRBENCH_CACHE", str(fresh / "file"))
    with pytest.warns(UserWarning, match="the cache cannot be written"):
        assert build.rule(SMALL).answer() == 42


def test_a_full_disk_is_said(fresh, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(shelf, "_made", full)
    with pytest.raises(StudyError, match=r"cannot be kept: .*No space left") as caught:
        build.rule(SMALL)
    assert "FAIRBENCH_CACHE" in caught.value.hint


def test_an_open_umask_makes_no_open_folder(fresh):
    before = os.umask(0)
    try:
        assert build.rule(SMALL).answer() == 42
    finally:
        os.umask(before)
    folder = fresh / "a cache" / "kernel"
    modes = {stat.S_IMODE(path.stat().st_mode) for path in (folder, *folder.glob("*.so"))}
    assert modes == {0o700}
