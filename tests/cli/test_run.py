"""`fairbench run`: what it makes of flags and files, and what it says of bad ones."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from fairbench.cli import main
from fairbench.cli._flags import executor_options, study_keys
from fairbench.errors import StudyError
from fairbench.plugins import load as load_plugins
from fairbench.store import RunFolder
from fairbench.study import read_study
from fairbench.toml import load

BASE = ["--method", "ridge", "--dataset", "synthetic", "--no-baseline"]
ALPHA = ["--method", "static-alpha", "--dataset", "synthetic"]


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch) -> Path:
    """An empty working folder, with no dataset on the search path."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FAIRBENCH_DATA_DIR", str(tmp_path / "nothing"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path


def refused(*arguments: str) -> str:
    """What `fairbench run` says of input that it refuses."""
    result = CliRunner().invoke(main, ["run", *arguments])
    assert result.exit_code == 2, result.output
    assert isinstance(result.exception, SystemExit)
    assert result.stdout == ""
    assert "Traceback" not in result.stderr
    assert not list(Path().glob("runs/*/chunks"))
    return " ".join(result.stderr.split())


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([*BASE, "-m", "rigde"], "unknown method 'rigde' hint: did you mean 'ridge'"),
        ([*BASE, "-m", "pcgard"], "unknown method 'pcgard' hint: did you mean 'pcgrad'"),
        ([*BASE, "-m", "static"], "needs its option 'loss_weights' where: method 'static' hint:"),
        (
            [*BASE, "-m", "cagrad", "--set", "cagrad.d=1"],
            "method 'cagrad' has no option 'd' hint: known: architecture, c, model",
        ),
        (["-m", "ridge", "-d", "synthetik"], "unknown dataset 'synthetik' hint: did you mean"),
        ([*BASE, "--error", "rsme"], "unknown metric 'rsme' hint: did you mean"),
        ([*BASE, "--protocol", "papper"], "unknown protocol 'papper' hint: did you mean 'paper'"),
        ([*BASE, "--executor", "dusk"], "unknown executor 'dusk'"),
        (["-d", "synthetic"], "no method was named where: fairbench run hint: add --method"),
        (["-m", "ridge"], "no dataset was named where: fairbench run hint: add --dataset"),
        ([*BASE, "-m", "ridge"], "a method stands twice hint: give each use its own label"),
        ([*ALPHA, "--tradeoff", "6"], "alpha = 6 is outside [0, 5] where: trade-off of method"),
        ([*ALPHA, "--tradeoff", "1:x:2"], "is no grid of values where: --tradeoff 1:x:2"),
        ([*ALPHA, "--tradeoff", "1,1"], "holds a value twice where: --tradeoff 1,1"),
        ([*ALPHA, "--tradeoff", "2:1:0.1"], "holds no finite value where: --tradeoff"),
        ([*ALPHA, "--tradeoff", "alpha=1"], "no method 'alpha' is named"),
        ([*ALPHA, "-m", "equal", "--tradeoff", "1"], "hint: write static-alpha=1"),
        ([*BASE, "--tradeoff", "1"], "method 'ridge' has no trade-off to sweep"),
        ([*BASE, "--seeds", "0"], "Invalid value for '--seeds': 0 is not in the range x>=1"),
        ([*BASE, "--epochs", "-3"], "Invalid value for '--epochs'"),
        ([*BASE, "--batch-size", "0"], "Invalid value for '--batch-size'"),
        ([*BASE, "--jobs", "0"], "Invalid value for '--jobs'"),
        ([*BASE, "--lr", "0"], "Invalid value for '--lr'"),
        ([*BASE, "--device", "tpu"], "Invalid value for '--device'"),
        (
            [*BASE, "--set", "training.epoch=3"],
            "'training.epoch' where: --set training.epoch hint: did you mean 'epochs'",
        ),
        (
            [*BASE, "--set", "training.epochs=0"],
            "input should be greater than or equal to 1 where: --set training.epochs",
        ),
        (
            [*BASE, "--set", "ridge.penalti=3"],
            "method 'ridge' has no option 'penalti' hint: did you mean 'penalty'",
        ),
        ([*BASE, "--set", "ridge.penalty=-1"], "is -1: input should be greater than or equal to 0"),
        ([*BASE, "--set", "ridge"], "'ridge' assigns no option where: --set ridge"),
        (
            [*BASE, "--set", "ridge.a=1", "--set", "ridge.a.b=2"],
            "'a' is a value and has no options of its own where: --set ridge.a.b",
        ),
        (
            [*BASE, "--set", "mean.x=1"],
            "no method or dataset 'mean' is named in this study where: --set mean.x",
        ),
        ([*BASE, "--name", "a b"], "where: --name"),
        (
            [*BASE, "--scheduler", "x", "--executor", "local"],
            "executor 'local' has no option 'scheduler'",
        ),
        ([*BASE, "--chunk-seconds", "5", "--executor", "serial"], "where: --chunk-seconds"),
        ([*BASE, "--config", "absent.toml"], "cannot read absent.toml"),
        ([*BASE, "--target", "price"], "no column 'price'"),
        ([*BASE, "--baseline", "nothing"], "unknown method 'nothing'"),
    ],
)
def test_bad_flags(arguments, said):
    if "--baseline" in arguments:
        arguments = [word for word in arguments if word != "--no-baseline"]
    assert said in refused(*arguments)


TABLE = """who,sex,age,income,text,flat
{rows}
"""


def table(path: Path, *, income=lambda i: i, sex=lambda i: i % 2) -> str:
    rows = (f"{i // 2},{sex(i)},{i % 50},{income(i)},t{i % 3},1" for i in range(60))
    path.write_text(TABLE.format(rows="\n".join(rows)))
    return path.name


@pytest.mark.parametrize(
    ("cells", "arguments", "said"),
    [
        ({}, ["--target", "incme", "--protected", "sex"], "no column 'incme'"),
        ({}, ["--target", "income"], "no protected column chosen"),
        ({}, ["--target", "text", "--protected", "sex"], "'text'"),
        ({}, ["--target", "income", "--protected", "flat"], "flat"),
        (
            {"income": lambda i: "inf" if i == 7 else i},
            ["--target", "income", "--protected", "sex"],
            "income",
        ),
        (
            {"income": lambda i: "" if i == 7 else i},
            ["--target", "income", "--protected", "sex"],
            "income",
        ),
        (
            {"sex": lambda i: int(i < 3)},
            ["--target", "income", "--protected", "sex", "--features=-flat"],
            "too few for 5 folds",
        ),
        (
            {},
            ["--target", "income", "--protected", "sex", "--cluster", "household"],
            "no column 'household'",
        ),
    ],
)
def test_bad_tables(cells, arguments, said, folder):
    name = table(folder / "my.csv", **cells)
    message = refused("-m", "ridge", "-d", name, "--no-baseline", *arguments)
    assert said in message
    assert "hint:" in message


def test_a_table_that_is_not_there():
    message = refused("-m", "ridge", "-d", "absent.csv", "--target", "y", "--protected", "a")
    assert "absent.csv" in message


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("seeds = 1\nepochz = 3\n", "unknown key 'epochz' where: study.toml, line 2"),
        (
            "\n[training]\nepoch = 3\n",
            "unknown key 'training.epoch' where: study.toml, line 3 hint: did you mean 'epochs'",
        ),
        (
            "[training]\nlr = 0.1\nepochs = 0\n",
            "input should be greater than or equal to 1 where: study.toml, line 3",
        ),
        ("\nseeds = 'many'\n", "where: study.toml, line 2"),
        (
            "protocol = 3\n",
            "protocol = 3: input should be a name or a table where: study.toml, line 1",
        ),
        ("seeds = \n", "study.toml is not valid TOML"),
    ],
)
def test_bad_files(text, said, folder):
    (folder / "study.toml").write_text(text)
    assert said in refused(*BASE, "--config", "study.toml")


@pytest.mark.parametrize(
    ("methods", "said"),
    [
        (
            '[[methods]]\nname = "ridge"\nlabell = "x"\n',
            "unknown key 'methods.0.labell' where: study.toml, line 4",
        ),
        ('[[methods]]\nlabel = "x"\n', "'methods.0.name' is missing where: study.toml, line 2"),
        (
            '[[methods]]\nname = "static-alpha"\ntradeoff = "1:x"\n',
            "methods.0.tradeoff = '1:x': '1:x' is no grid of values; write start:stop:step",
        ),
        (
            '[[methods]]\nname = "static-alpha"\ntradeoff = [1.0, 1]\n',
            "a value of alpha stands twice",
        ),
        (
            'methods = "ridge"\n',
            "methods = 'ridge': input should be a list where: study.toml, line 2",
        ),
        (
            "methods = [3]\n",
            "methods.0 = 3: input should be a name or a table where: study.toml, line 2",
        ),
    ],
)
def test_bad_methods_in_files(methods, said, folder):
    (folder / "study.toml").write_text('datasets = ["synthetic"]\n' + methods)
    assert said in refused("--config", "study.toml")


def test_a_file_whose_methods_flags_cannot_edit(folder):
    (folder / "study.toml").write_text('datasets = ["synthetic"]\nmethods = "ridge"\n')
    said = refused("--config", "study.toml", "--set", "ridge.penalty=2")
    assert "methods = 'ridge' is no list of names or tables where: --config" in said


def test_a_dataset_that_is_not_there_says_which_file_to_put_where(monkeypatch, wages):
    def offline(*_args, **_kwargs):
        raise OSError("no network")

    monkeypatch.setattr("socket.socket.connect", offline)
    monkeypatch.setattr("socket.getaddrinfo", offline)
    said = refused("-m", "ridge", "-d", "wages")
    assert "wages.csv" in said


def test_a_folder_that_cannot_be_written(folder):
    (folder / "file").write_text("")
    assert "cannot be written" in refused(*BASE, "--out", "file/run")


def test_a_folder_that_holds_something_else(folder):
    (folder / "mine").mkdir()
    (folder / "mine/thesis.tex").write_text("precious")
    said = refused(*BASE, "--out", "mine")
    assert "not empty and holds no run: 'thesis.tex'" in said
    assert (folder / "mine/thesis.tex").read_text() == "precious"


def test_a_run_and_what_is_refused_of_its_folder():
    quick = [*BASE, "--metric", "rmse", "--seeds", "1", "--out", "run"]
    done = CliRunner().invoke(main, ["run", *quick, "--json"])
    assert done.exit_code == 0, done.output
    document = json.loads(done.stdout)
    assert document
    said = refused(*quick, "--seeds", "2")
    assert "holds a different study (differs in seeds) where: run hint: choose another" in said
    manifest = json.loads(Path("run/manifest.json").read_text())
    assert manifest["progress"]["trials_done"] == 1
    Path("run/manifest.json").write_text('{"format": 1}')
    assert "has layout 1; this fairbench reads layout 2" in refused(*quick)
    Path("run/manifest.json").write_text("{")
    assert "rebuild it from the chunks with `fairbench verify" in refused(*quick)


FILE = """
seeds = 7
datasets = ["synthetic", {name = "boston", bins = 3}]
protocol = {name = "paper", options = {chain = 1}}
[training]
epochs = 3
lr = 0.5
[[methods]]
name = "static-alpha"
label = "ours"
tradeoff = "1:2:0.5"
[[methods]]
name = "ridge"
options = {penalty = 2.0}
"""


def study_of(folder: Path, **flags):
    path = folder / "study.toml"
    path.write_text(FILE)
    given = study_keys(flags, load(path), lambda name, options: name == "static-alpha")
    return read_study(path, given.keys, given.origins)


def test_a_file_alone(folder):
    study = study_of(folder)
    assert study.seeds == 7
    assert [m.title for m in study.methods] == ["ours", "ridge"]
    assert study.methods[0].tradeoff == (1.0, 1.5, 2.0)
    assert study.datasets[1].bins == 3


def test_flags_override_the_file_and_keep_the_rest(folder):
    study = study_of(
        folder,
        seeds=2,
        epochs=9,
        tradeoff=("ours=4",),
        assign=("ridge.penalty=5", "ours.architecture.dropout=0.1", "protocol.subject=false"),
        targets=("y",),
    )
    assert study.seeds == 2
    assert study.training == {"epochs": 9, "lr": 0.5}
    assert study.methods[0].tradeoff == (4.0,)
    assert study.methods[0].options == {"architecture": {"dropout": 0.1}}
    assert study.methods[1].options == {"penalty": 5}
    assert study.protocol.name == "paper"
    assert study.protocol.options == {"chain": 1, "subject": False}
    assert [d.targets for d in study.datasets] == [("y",), ("y",)]
    assert study.datasets[1].bins == 3


def test_a_bare_grid_goes_to_the_only_method_with_a_tradeoff(folder):
    study = study_of(folder, tradeoff=("0.5,1",))
    assert study.methods[0].tradeoff == (0.5, 1.0)
    assert study.methods[1].tradeoff is None


def test_flags_that_name_methods_datasets_or_a_protocol_replace_the_files(folder):
    study = study_of(folder, methods=("mean",), datasets=("student",), protocol="honest")
    assert [m.name for m in study.methods] == ["mean"]
    assert [d.name for d in study.datasets] == ["student"]
    assert (study.protocol.name, study.protocol.options) == ("honest", {})


@pytest.mark.parametrize(
    ("flags", "where"),
    [
        ({"epochs": 0}, "--epochs"),
        ({"seeds": 0}, "--seeds"),
        ({"bins": "x"}, "--bins"),
        ({"assign": ("training.lr=-1",)}, "--set training.lr"),
        ({"assign": ("training.foo=1",)}, "--set training.foo"),
    ],
)
def test_a_wrong_flag_is_named_and_not_the_file(flags, where, folder):
    with pytest.raises(StudyError) as caught:
        study_of(folder, **flags)
    assert caught.value.where == where


@pytest.mark.parametrize("from_file", [True, False])
def test_an_option_of_a_dataset(folder, from_file):
    (folder / "study.toml").write_text('datasets = ["synthetic"]\nmethods = ["mean"]\n')
    named = ("--config", "study.toml") if from_file else ("-m", "mean", "-d", "synthetic")
    said = refused(*named, "--set", "synthetic.row=1")
    assert "dataset 'synthetic' has no option 'row'" in said
    flags = ("--no-baseline", "--seeds", "1", "--set", "synthetic.rows=321", "--metric", "rmse")
    result = CliRunner().invoke(main, ["run", *named, *flags])
    assert result.exit_code == 0, result.output
    (manifest,) = [json.loads(path.read_text()) for path in Path().glob("runs/*/manifest.json")]
    assert manifest["datasets"]["synthetic"]["rows"] == 321


def test_a_table_has_no_options(folder):
    Path("my.csv").write_text("y,g,x\n")
    said = refused("-m", "mean", "-d", "my.csv", "--set", "my.csv.rows=3")
    assert "no method or dataset 'my'" in said
    text = 'methods = ["mean"]\n[[datasets]]\nname = "my.csv"\noptions.rows = 3\n'
    Path("study.toml").write_text(text)
    assert "a table has no option 'rows'" in refused("--config", "study.toml")


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ("executor.start_second=1", "start_second"),
        ("executor.start_seconds=0", "start_seconds"),
        ("executor.silence_seconds=soon", "silence_seconds"),
        ("executor.=1", "assigns no option"),
    ],
)
def test_options_of_the_executor_are_checked(given, complaint, tmp_path):
    flags = ["-m", "ridge", "-d", "synthetic", "--out", str(tmp_path / "run"), "--set", given]
    done = CliRunner().invoke(main, ["run", *flags])
    assert done.exit_code == 2
    assert complaint in done.stderr
    assert not (tmp_path / "run").exists()


def test_options_of_the_executor_are_not_the_studys():
    options, rest = executor_options(["ridge.alpha=2", "executor.start_seconds=1.5"])
    assert options == {"start_seconds": 1.5}
    assert rest == ["ridge.alpha=2"]


@pytest.mark.parametrize(
    "flag",
    ["--cluster", "--target", "--protected", "--features", "--categorical", "--drop", "--encoding"],
)
def test_an_empty_flag_is_refused(flag, folder):
    name = table(folder / "my.csv")
    roles = ["--target", "income", "--protected", "sex"]
    assert f"{flag} is empty" in refused("-m", "mean", "-d", name, *roles, flag, "")


def test_files_that_a_study_names_lie_beside_it(folder, monkeypatch):
    (folder / "studies").mkdir()
    table(folder / "studies" / "my.csv")
    text = """methods = ["mean"]
    seeds = 1
    metrics = ["rmse"]
    [[datasets]]
    name = "my.csv"
    targets = ["income"]
    protected = ["sex"]
    """
    (folder / "studies" / "study.toml").write_text(text)
    flags = ("--no-baseline", "--disparity", "rmse-disparity")
    for more in ((), ("--bins", "3")):  # flags edit the file's own tables
        result = CliRunner().invoke(main, ["run", "--config", "studies/study.toml", *flags, *more])
        assert result.exit_code == 0, result.output
    monkeypatch.chdir(folder / "studies")
    result = CliRunner().invoke(main, ["run", "--config", "study.toml", *flags])
    assert result.exit_code == 0, result.output


def test_flags_of_a_table_reach_the_study(folder):
    study = study_of(
        folder,
        categorical=("a", "b,c"),
        numeric=("d",),
        drop=("e",),
        missing="drop",
        missing_target="drop",
        keep_na=True,
        decimal=",",
        thousands=".",
        encoding="cp1252",
    )
    spec = study.datasets[0]
    assert (spec.categorical, spec.numeric, spec.drop) == (("a", "b,c"), ("d",), ("e",))
    assert (spec.missing, spec.missing_target, spec.keep_na) == ("drop", "drop", True)
    assert (spec.decimal, spec.thousands, spec.encoding) == (",", ".", "cp1252")


def test_a_notation_for_a_plugins_dataset_is_refused():
    said = refused(*BASE, "--decimal", ",")
    assert "comes from a plugin, which knows how its file is written where: --decimal" in said


def test_a_weighting_in_a_file_is_edited_by_its_name(folder):
    (folder / "weighted.toml").write_text(
        'datasets = ["synthetic"]\n[[methods]]\nname = "weighted"\n'
        'options = {weighting = "cagrad"}\n[[methods]]\nname = "stch"\n'
    )
    filed = load(folder / "weighted.toml")
    flags = {"assign": ("cagrad.weighting_options.c=0.2", "stch.mu=2"), "tradeoff": ("stch=1",)}
    methods = study_keys(flags, filed, lambda name, options: True).keys["methods"]
    assert methods[0]["options"] == {"weighting": "cagrad", "weighting_options": {"c": 0.2}}
    assert methods[1] == {"name": "stch", "options": {"mu": 2}, "tradeoff": [1.0]}


def test_all_is_every_method_that_is_installed():
    from fairbench.cli.run import _every_method

    names = _every_method(load_plugins())
    assert {"ridge", "single-task", "static-alpha", "barycenter"} <= set(names)
    assert {"pcgrad", "nash-mtl", "equal"} <= set(names)  # every weighting, by its name
    assert "weighted" not in names  # it needs one


@pytest.mark.slow
def test_all_methods_run_without_special_cases(tmp_path):
    """On a binary and on a continuous attribute; what refuses one is left out and said."""
    from fairbench.cli.run import _every_method

    for dataset, more in (("synthetic", ["--set", "synthetic.rows=200"]), ("boston", [])):
        out = tmp_path / dataset
        flags = ["-m", "all", "-d", dataset, *more, "--seeds", "1", "--epochs", "1"]
        result = CliRunner().invoke(main, ["run", *flags, "--out", str(out)])
        assert result.exit_code == 0, result.output
        manifest = RunFolder(out).read_manifest()
        (methods,) = manifest["methods"].values()
        assert len(methods) + len(manifest["left_out"]) == len(_every_method(load_plugins()))
        assert manifest["progress"]["trials_failed"] == 0
        told = " ".join(manifest["notes"])
        assert "barycenter reads the attribute at prediction" in told
