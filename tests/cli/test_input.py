"""Bad input of every kind: a message that says what, where and how to mend it, and exit code 2."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from fairbench.cache import cache_dir
from fairbench.cli import main
from fairbench.data import locate
from fairbench.data.locate import search_path
from fairbench.errors import StudyError
from fairbench.study import Study
from fairbench.toml import line_of, load

BASE = ("-m", "mean", "-d", "synthetic", "--no-baseline", "--seeds", "1", "--metric", "rmse")


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def refused(*arguments):
    result = CliRunner().invoke(main, list(arguments))
    assert result.exit_code == 2, result.output
    assert isinstance(result.exception, SystemExit)
    assert len(result.stderr) < 8_000
    return " ".join(result.stderr.split())


# Empty values


@pytest.mark.parametrize(
    "flag",
    [
        "--cluster",
        "--features",
        "--name",
        "--target",
        "--protected",
        "--out",
        "--config",
        "--tradeoff",
        "--metric",
    ],
)
@pytest.mark.parametrize("value", ["", "  "])
def test_an_empty_value_is_not_a_missing_flag(flag, value):
    assert f"the value of {flag} is empty" in refused("run", *BASE, flag, value)
    assert f"the value of {flag} is empty" in refused("run", *BASE, f"{flag}={value}")


def test_empty_arguments_of_other_verbs():
    assert "is empty" in refused("report", "")
    assert "the value of --against is empty" in refused("gate", "run", "--against", "")


# Truth values where numbers are needed


@pytest.mark.parametrize(
    "line",
    [
        "seeds = true",
        "splits = true",
        "entropy = false",
        "training.epochs = true",
        "training.lr = true",
        'datasets = [{ name = "synthetic", bins = true }]',
        'datasets = [{ name = "synthetic", min_group = true }]',
        'datasets = [{ name = "synthetic", options.rows = true }]',
        'methods = [{ name = "static-alpha", tradeoff = true }]',
        'methods = [{ name = "ridge", options.penalty = true }]',
        'methods = [{ name = "static-alpha", tradeoff = [1.0, true] }]',
    ],
)
def test_a_truth_value_is_no_number(folder, line):
    lines = {"methods": 'methods = ["mean"]', "datasets": 'datasets = ["synthetic"]'}
    lines[line.split(" ")[0]] = line
    (folder / "study.toml").write_text("\n".join(lines.values()))
    said = refused("run", "--config", "study.toml")
    assert "true" in said.lower() or "false" in said.lower()


# Numbers beyond reason


@pytest.mark.parametrize(
    "flags",
    [
        ("--seeds", "1" + 30 * "0"),
        ("--splits", "1" + 30 * "0"),
        ("--entropy", "1" + 60 * "0"),
        ("--seeds", "100000", "--splits", "100000"),
        ("--bins", "1000000000"),
        ("--min-group", "1" + 30 * "0"),
        ("--epochs", "1" + 30 * "0"),
        ("--batch-size", "1" + 30 * "0"),
        ("--lr", "inf"),
        ("--lr", "nan"),
        ("--set", "training.lr=nan"),
        ("--set", "training.weight_decay=inf"),
        ("--set", "training.lanes=" + 5_000 * "9"),
        ("--set", "synthetic.bias=nan"),
        ("--set", "synthetic.bias=-inf"),
        ("--set", "mean.x=" + 3_000 * "[" + 3_000 * "]"),
        ("--epochs", 5_000 * "9"),
        ("--chunk-seconds", "nan"),
    ],
    ids=lambda flags: " ".join(flags)[:40],
)
def test_numbers_beyond_reason_are_refused_at_once(flags):
    refused("run", *BASE, *flags)
    assert not list(Path().glob("runs/*/chunks"))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("seeds = " + 5_000 * "1", "more than 4300 digits"),
        ("x = " + 3_000 * "[" + 3_000 * "]", "nested too deeply"),
    ],
)
def test_studies_that_no_parser_takes(folder, text, said):
    (folder / "study.toml").write_text(text)
    assert said in refused("run", "--config", "study.toml")


def test_a_study_that_is_no_regular_file_or_endless(folder):
    os.mkfifo(folder / "fifo.toml")
    for path in ("fifo.toml", "/dev/zero"):
        assert "it is no regular file" in refused("run", "--config", path)
    with (folder / "sparse.toml").open("wb") as file:
        file.truncate(1 << 40)
    assert "more than 4 MiB" in refused("run", "--config", "sparse.toml")


def test_thousands_of_methods(folder):
    lines = [f'[[methods]]\nname = "mean"\nlabel = "m{number}"\n' for number in range(1_001)]
    (folder / "study.toml").write_text('datasets = ["synthetic"]\n' + "".join(lines))
    assert "at most 1000" in refused("run", "--config", "study.toml")


def test_the_line_of_the_last_of_thousands_of_tables():
    text = "".join(f'[[methods]]\nname = "m"\nlabel = "m{number}"\n\n' for number in range(1_000))
    assert line_of(text, ["methods", 999, "label"]) == 4 * 999 + 3
    assert line_of(text, ["methods", 234]) == 4 * 234 + 1
    one = "methods = [\n" + 500 * '  { name = "m" },\n' + "]\nseeds = 1\n"
    assert line_of(one, ["methods", 400]) == 1
    assert line_of(one, ["seeds"]) == 503


def test_python_refuses_what_the_command_line_does():
    with pytest.raises(ValueError, match="a number is needed, not true"):
        Study(methods=["mean"], datasets=["synthetic"], seeds=True)


# Encodings and terminals

FAIRBENCH = [sys.executable, "-m", "fairbench.cli"]


def started(*arguments, **environment):
    """A process of its own: streams with their encodings, as a user's are."""
    return subprocess.run(
        [*FAIRBENCH, *arguments],
        env=os.environ | environment,
        capture_output=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )


def test_an_output_that_cannot_encode_everything():
    shown = started("show", "dataset", "boston", PYTHONIOENCODING="cp1252")
    assert shown.returncode == 0, shown.stderr
    assert "1000(Bk \\u2212 0.63)²" in shown.stdout.decode("cp1252")
    document = started("show", "dataset", "boston", "--json", PYTHONIOENCODING="cp1252")
    assert document.returncode == 0, document.stderr
    told = json.loads(document.stdout.decode("cp1252"))
    assert "1000(Bk − 0.63)²" in told["card"]["caveats"][0]


def test_a_file_name_that_is_no_unicode(folder):
    rows = "".join(f"{i % 7},{'fm'[i % 2]},{i * i % 11}\n" for i in range(100))
    path = Path(os.fsdecode(os.fsencode(folder) + b"/caf\xe9/t\xe9.csv"))
    path.parent.mkdir()
    path.write_text(f"y,sex,x\n{rows}")
    flags = ["--target", "y", "--protected", "sex", "--seeds", "1", "--metric", "rmse"]
    done = started("run", "-m", "mean", "--no-baseline", "-d", str(path), *flags)
    assert done.returncode == 0, done.stderr.decode(errors="replace")
    (manifest,) = folder.glob("runs/*/manifest.json")
    assert json.loads(manifest.read_text(encoding="utf-8"))["study"]["datasets"]
    assert b"\\udce9" in started("run", "-m", "mean", "-d", f"{path}x.csv").stderr


def test_neither_markup_nor_escapes_act_on_the_terminal(folder):
    out = "run[/red]\x1b[31m"
    result = CliRunner().invoke(main, ["run", *BASE, "--out", out])
    assert result.exit_code == 0, result.output
    assert "run[/red]" in result.output
    assert "\x1b[31m" not in result.output
    said = refused("run", "-m", "mean", "-d", "a\x1b]0;title\x07b.csv")
    assert "\x1b" not in said
    assert "\\x1b]0;title\\x07" in said


@pytest.mark.skipif(not hasattr(os, "getuid"), reason="users have no numbers here")
def test_a_user_without_a_home_has_a_cache(monkeypatch, folder):
    """As in a container: no HOME, and a user that nobody knows."""
    for name in ("HOME", "XDG_CACHE_HOME", "FAIRBENCH_CACHE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("pwd.getpwuid", lambda uid: (_ for _ in ()).throw(KeyError(uid)))
    assert cache_dir().name == f"fairbench-{os.getuid()}"
    result = CliRunner().invoke(main, ["data", "list"])
    assert result.exit_code == 0, result.output
    assert CliRunner().invoke(main, ["run", *BASE]).exit_code == 0


# A configuration of somebody else


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="files have no owners here")
def test_a_configuration_of_another_user_is_refused(folder, monkeypatch):
    (folder / "fairbench.toml").write_text('data_dirs = ["."]\n')
    assert search_path()
    own = os.geteuid()
    monkeypatch.setattr(locate.os, "geteuid", lambda: own + 4242)
    if own == 0:  # what root owns is trusted
        os.chown(folder / "fairbench.toml", 4243, -1)
    (folder / "below").mkdir()
    monkeypatch.chdir(folder / "below")
    with pytest.raises(StudyError, match="belongs to another user") as caught:
        search_path()
    assert caught.value.where == str(folder / "fairbench.toml")


def test_what_sudo_was_called_by_is_oneself(folder, monkeypatch):
    path = folder / "fairbench.toml"
    path.write_text('data_dirs = ["."]\n')
    owner = path.stat().st_uid
    monkeypatch.setattr(locate.os, "geteuid", lambda: 0)
    monkeypatch.setenv("SUDO_UID", str(owner))
    assert search_path()


def test_a_toml_file_is_read_as_before(folder):
    (folder / "study.toml").write_text("seeds = 3\n")
    assert load(folder / "study.toml") == {"seeds": 3}
