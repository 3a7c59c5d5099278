"""Workers of the local executor that do not start, stop, or keep silent."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

import fairbench
from fairbench.errors import StudyError
from fairbench.execute.local import Local, _Crew
from fairbench.session import Session
from tests.execute.commands import alive, children, starting, wait_for, workers
from tests.execute.test_troubles import failures, statuses

FIRST_MILLISECONDS = 0.05


@pytest.fixture
def kill_at_birth():
    """Kills the first so many workers of this process, each in its first 50 ms."""
    killed: list[int] = []

    def kill(count: int) -> None:
        while len(killed) < count:
            for child in set(children()) - set(killed):
                os.kill(child, signal.SIGKILL)
                killed.append(child)
            time.sleep(FIRST_MILLISECONDS / 5)

    threads = []

    def begin(count: int) -> list[int]:
        threads.append(threading.Thread(target=kill, args=(count,)))
        threads[0].start()
        return killed

    yield begin
    threads[0].join()


def test_workers_killed_at_birth_cost_nothing(study, trouble, tmp_path, kill_at_birth):
    killed = kill_at_birth(2)
    large = {"name": "synthetic", "options": {"rows": 20_000}}  # far more than a pipe holds
    run = fairbench.run(
        study(trouble("fine"), datasets=[large]), out=tmp_path / "run", executor="local", jobs=1
    )
    assert len(killed) == 2
    assert statuses(run) == {"fine": "ok"}
    assert not children()


def test_workers_end_where_ctrl_c_comes_while_they_are_hired(study, trouble, tmp_path, monkeypatch):
    hire = _Crew.hire

    def interrupted(crew, waiting):
        hire(crew, waiting)
        assert children()
        raise KeyboardInterrupt

    monkeypatch.setattr(_Crew, "hire", interrupted)
    with pytest.raises(KeyboardInterrupt):
        fairbench.run(study(trouble("fine")), out=tmp_path / "run", executor="local", jobs=1)
    assert not children()


def test_workers_start_while_the_run_is_prepared_and_end_where_that_fails(
    study, trouble, tmp_path, monkeypatch
):
    found = []

    def full(*_):
        found.extend(children())
        raise StudyError("the disk is full")

    monkeypatch.setattr(Session, "prepare", full)
    with pytest.raises(StudyError, match="the disk is full"):
        fairbench.run(study(trouble("fine")), out=tmp_path / "run", executor="local", jobs=1)
    assert len(found) == 1
    assert not children()


def test_workers_that_cannot_start_are_given_up(study, trouble, tmp_path, site, capfd):
    (site / "torch.py").write_text("raise ImportError('no torch today')")
    asked = study(trouble("fine"))
    with pytest.raises(StudyError, match=r"cannot start: ImportError: no torch today") as caught:
        fairbench.run(asked, out=tmp_path / "run", executor="local", jobs=1, device="cpu")
    assert caught.value.where == f"{site / 'torch.py'}, line 1"
    assert "has to be renamed" in caught.value.hint
    assert capfd.readouterr() == ("", "")
    assert not children()


def test_workers_that_take_too_long_to_start_are_given_up(study, trouble, tmp_path):
    executor = Local(start_seconds=0.01)
    with pytest.raises(StudyError, match=r"it was not ready within 0\.01 seconds") as caught:
        fairbench.run(study(trouble("fine")), out=tmp_path / "run", executor=executor, jobs=1)
    assert "executor.start_seconds" in caught.value.hint
    assert not children()


def test_a_worker_that_is_stopped_is_replaced(study, trouble, tmp_path):
    """And one that says nothing while it works is not."""
    asked = study(trouble("stop", marked=True), trouble("busy"))
    executor = Local(silence_seconds=0.8)
    run = fairbench.run(asked, out=tmp_path / "run", executor=executor, jobs=2)
    assert statuses(run) == {"stop": "ok", "busy": "ok"}
    assert not failures(run)
    assert not children()


def test_what_code_in_c_prints_stays_out_of_standard_output(study, trouble, tmp_path, capfd):
    loud = trouble("print")
    loud["options"]["low_level"] = True
    fairbench.run(study(loud), out=tmp_path / "run", executor="local", jobs=1)
    out, err = capfd.readouterr()
    assert out == ""
    assert "noise on the descriptor" in err


STUDY = (
    "fairbench.Study(methods=['trouble'], datasets=['synthetic'], seeds=1, baseline=None, "
    "metrics=['rmse'])"
)


IMPORTS = ("import fairbench", "from fairbench.errors import FairbenchError")


def script(folder: Path, *lines: str) -> Path:
    path = folder / "script.py"
    path.write_text("\n".join([*IMPORTS, f"STUDY = {STUDY}", *lines, ""]))
    return path


def python(*arguments: str | Path, cwd: Path, site: Path) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "PYTHONPATH": str(site)}
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=cwd, env=env, capture_output=True, text=True, timeout=200, check=False,
    )  # fmt: skip


RUN = "fairbench.run(STUDY, out='run', executor='{}', jobs=2)"


@pytest.mark.parametrize("executor", ["local", "dask"])
def test_a_script_without_its_guard(executor, tmp_path, site):
    caught = ["try:", f"    {RUN.format(executor)}", "except FairbenchError as error:"]
    path = script(tmp_path, *caught, "    print(error)")
    done = python(path, cwd=tmp_path, site=site)
    said = done.stdout + done.stderr
    assert "the script starts its run again in every worker" in said
    assert 'below `if __name__ == "__main__":`' in said
    assert "Traceback" not in said
    assert done.returncode == 0


@pytest.mark.parametrize("executor", ["local", "dask"])
def test_a_run_inside_a_pool(executor, tmp_path, site):
    """Its processes are daemons, which multiprocessing allows no children."""
    lines = [
        "def work(_):",
        "    try:",
        f"        run = {RUN.format(executor)}",
        "    except FairbenchError as error:",
        "        return str(error)",
        "    return list(run.trials()['status'])",
        "if __name__ == '__main__':",
        "    import multiprocessing",
        "    with multiprocessing.get_context('spawn').Pool(1) as pool:",
        "        print(pool.map(work, [0])[0])",
    ]
    done = python(script(tmp_path, *lines), cwd=tmp_path, site=site)
    assert (done.returncode, done.stderr) == (0, "")
    if executor == "local":
        assert done.stdout == "['ok']\n"
    else:
        assert "a process of a multiprocessing pool cannot start a Dask cluster" in done.stdout


@pytest.mark.parametrize("executor", ["local", "dask"])
def test_modules_in_the_working_directory_run_nowhere(executor, tmp_path, site):
    """Those of a stranger's folder, with the names of the standard library's."""
    for name in ("socket", "pickle", "json", "queue"):
        (tmp_path / f"{name}.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    flags = ["-m", "trouble", "-d", "synthetic", "--seeds", "1", "--no-baseline", "--jobs", "1"]
    flags += ["--metric", "rmse"]
    module = ["-P", "-m", "fairbench.cli", "run", *flags, "--executor", executor, "--json"]
    done = python(*module, cwd=tmp_path, site=site)
    assert done.returncode == 0, done.stderr
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("number", [signal.SIGSTOP, signal.SIGKILL])
def test_ctrl_c_is_heard_while_workers_do_not_start(number, tmp_path, site):
    with starting(tmp_path, site) as start:
        flags = ["-m", "trouble", "-d", "synthetic", "--no-baseline", "--executor", "local"]
        process = start(*flags, "--jobs", "2", "--out", "run")
        struck: set[int] = set()

        def strike() -> bool:
            for pid in set(workers(process.pid)) - struck:
                os.kill(pid, number)
                struck.add(pid)
            return len(struck) > 1

        wait_for(strike)
        os.kill(process.pid, signal.SIGINT)
        process.communicate(timeout=60)
        assert process.returncode in ({130} if number == signal.SIGSTOP else {130, 2})
        assert "Traceback" not in (tmp_path / "stderr").read_text()
        wait_for(lambda: not alive(process.pid), 20)
