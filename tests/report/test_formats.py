"""Every format: complete, and harmless whatever a run's labels say."""

from __future__ import annotations

import base64
import csv
import gzip
import io
import json
import re
from html.parser import HTMLParser

import pandas as pd
import pytest

from fairbench.analyze import Run
from fairbench.plugins import load
from fairbench.report import Reporter, View
from fairbench.report.words import spread

TEXT = ("terminal", "markdown", "json", "csv", "latex")


def documents(form: str, *runs: Run):
    return load().find("reporter", form).build({}).render(runs, View())


def test_every_reporter_is_one():
    reporters = [c for c in load().components("reporter") if c.plugin == "reporters"]
    assert {c.name for c in reporters} >= {*TEXT, "html", "svg", "png", "pdf"}
    for component in reporters:
        assert isinstance(component.build({}), Reporter)


@pytest.mark.parametrize("form", TEXT)
def test_text_formats_tell_of_every_method_failure_and_warning(render, run, form):
    text = re.sub(r"\\(.)", r"\1", render(form, run))  # undo Markdown's and LaTeX's escapes
    for word in ("single-task", "static-alpha", "ridge"):
        assert word in text
    if form in ("terminal", "markdown", "json"):
        assert "MemoryError: worker died" in text
        assert "loss became infinite in epoch 7" in text
        assert "broken" in text
        assert "not distinguishable" in text
    if form in ("terminal", "markdown"):
        assert "This data holds a column that must not be used." in text
        assert "Clusters stay whole; selected on validation, reported on test." in text


@pytest.mark.parametrize("form", ["terminal", "markdown", "html", "latex"])
def test_formats_show_the_numbers_of_the_analysis(render, run, contents, form):
    text = render(form, run)
    for point in contents.averages.itertuples():
        assert spread(point.error, point.error_sd) in text
        assert spread(point.disparity, point.disparity_sd) in text
        if not pd.isna(point.value):
            assert f"alpha = {point.value:.4g}" in text


@pytest.mark.parametrize(
    ("mean", "deviation", "words"),
    [
        (3.14159, 0.2718, "3.14, sd 0.27"),
        (1234.6, 56.7, "1,235, sd 57"),
        (0.5, 0.0, "0.5"),
        (0.5, float("nan"), "0.5"),
        (float("nan"), float("nan"), "–"),
    ],
)
def test_means_are_told_as_finely_as_their_spread_allows(mean, deviation, words):
    assert spread(mean, deviation) == words


def test_terminal_is_plain_and_complete_where_there_is_no_terminal(render, run, made_up):
    text = render("terminal", run)
    assert "\x1b" not in text
    assert "…" not in text
    assert made_up.IMAGE in text


RICH = "[red]\x1b[31mridge[/red]\r"
MARKDOWN = "a|b](http://x)\n# c"
LATEX = r"\input{/etc/passwd} 5% & $x_1$"
FORMULA = "=cmd|' /C calc'!A0"


@pytest.fixture(scope="module")
def odd(made_up, tmp_path_factory) -> Run:
    """A run whose methods have names that some format could take for more than a name."""
    folder = tmp_path_factory.mktemp("odd") / "run"
    first, second, third = made_up.arms(3)[:3]
    named = [made_up.Arm(name, third.gap, third.noise) for name in (RICH, MARKDOWN, LATEX, FORMULA)]
    made_up.write_run(
        folder, methods=[first, second, *named], trouble=False, labels=("one",), views=1
    )
    return Run(folder)


def test_terminal_disarms_control_codes_and_markup(render, odd):
    text = render("terminal", odd)
    assert "\x1b" not in text
    assert "\r" not in text
    assert "[red] [31mridge[/red]" in text


def test_markdown_disarms_html_and_markup(render, run, odd):
    text = render("markdown", run)
    prose = "\n".join(line for line in text.splitlines() if not line.startswith("    "))
    assert "<script" not in prose
    assert "<img" not in prose
    text = render("markdown", odd)
    assert r"a\|b\]" in text
    assert not re.search(r"^# c", text, re.MULTILINE)
    for table in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE):
        widths = {len(re.findall(r"(?<!\\)\|", row)) for row in table.splitlines()}
        assert len(widths) == 1, "a label splits a cell"


def test_latex_disarms_commands(render, odd):
    text = render("latex", odd)
    assert r"\input" not in text
    assert r"\textbackslash{}input\{/etc/passwd\} 5\% \& \$x\_1\$" in text


def test_json_is_one_strict_document(render, run):
    def refuse(constant):
        raise AssertionError(f"{constant} is not JSON")

    document = json.loads(render("json", run), parse_constant=refuse)
    assert document["axes"] == {"error": "rmse", "disparity": "rmse-disparity"}
    fronts = run.fronts()
    assert len(document["fronts"]) == fronts["front"].sum()
    expected = sorted(fronts.loc[fronts["front"], "error"])
    assert sorted(p["error"] for p in document["fronts"]) == pytest.approx(expected, rel=1e-12)
    assert document["runs"][0]["folder"] == str(run.path)
    verdicts = {v["method"] for v in document["verdicts"]}
    assert verdicts == set(run.verdicts()["method"])
    assert [f["reason"] for f in document["failures"]] == ["MemoryError: worker died"]


def test_csv_files_hold_the_tables(run):
    files = documents("csv", run)
    assert next(iter(files)) == "fronts.csv"
    fronts = pd.read_csv(io.StringIO(files["fronts.csv"]))
    pd.testing.assert_frame_equal(fronts, run.fronts(), check_dtype=False, rtol=1e-12)
    for name, expected in (("metrics", run.metrics()), ("groups", run.groups())):
        assert len(pd.read_csv(io.StringIO(files[f"{name}.csv"]))) == len(expected)


def test_csv_disarms_formulas(odd):
    found = documents("csv", odd)
    assert "'=cmd" in found["fronts.csv"]
    assert len(pd.read_csv(io.StringIO(found["trials.csv"]))) == len(odd.trials())
    for text in found.values():
        cells = [cell for row in csv.reader(io.StringIO(text)) for cell in row]
        assert not any(cell.startswith(("=", "@", "+")) for cell in cells)


class Elements(HTMLParser):
    """Every element and attribute of a page, as a browser reads it."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))


def test_html_holds_no_element_of_a_label_and_no_address(render, run):
    page = render("html", run)
    elements = Elements(page).found
    assert {tag for tag, _ in elements}.isdisjoint({"img", "iframe", "link", "object", "base"})
    assert [tag for tag, _ in elements].count("script") == 3
    for tag, attributes in elements:
        assert not any(name.startswith("on") for name in attributes), (tag, attributes)
        assert "src" not in attributes
        assert (attributes.get("href") or "#").startswith("#")
        assert (attributes.get("style")) is None


def test_html_embeds_its_data_whole(render, run, made_up):
    packed = re.search(
        r'<script type="text/plain" id="data-packed">(.*?)</script>', render("html", run)
    )
    assert packed is not None
    embedded = json.loads(gzip.decompress(base64.b64decode(packed[1], validate=True)))
    assert [d["label"] for d in embedded["datasets"]] == ["parkinson", made_up.SCRIPT]
    first = embedded["datasets"][0]
    table = run.metrics()
    table = table[(table["dataset"] == "parkinson") & (table["status"] == "ok")]
    assert len(first["trial"]["method"]) == len(table) / (2 * 2 * 2)
    for part in ("validation", "test"):
        for t, target in enumerate(first["targets"]):
            own = table[(table["part"] == part) & (table["target"] == target)]
            own = own[own["protected"] == "age"]
            values = first["disparities"][1][part][t]["rmse-disparity"]
            assert sorted(values) == pytest.approx(sorted(own["rmse-disparity"]), rel=1e-4)
            errors = first["errors"][part][t]["rmse"]
            assert sorted(errors) == pytest.approx(sorted(own["rmse"]), rel=1e-4)


def test_html_says_where_fronts_are_measured(render, small):
    fronts = small.fronts()
    text = " ".join(render("html", small).split())
    for own in fronts.groupby(["target", "protected"]):
        losses = own[1][["error", "disparity"]]
        for name in losses:
            low, high = losses[name].min(), losses[name].quantile(0.95)
            assert f"{low:.4g} to {high:.4g} " in text or f"{low:.4g} to {high:.4g}, each" in text
    documents = json.loads(render("json", small))["boxes"]
    assert len(documents) == fronts.groupby(["dataset", "target", "protected"]).ngroups


def test_html_permits_its_own_scripts_alone(render, run):
    metas = [attributes for tag, attributes in Elements(render("html", run)).found if tag == "meta"]
    policy = next(m["content"] for m in metas if m.get("http-equiv") == "Content-Security-Policy")
    assert policy is not None
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["default-src"] == "'none'"
    assert "unsafe" not in rules["script-src"]
    assert rules["script-src"].count("sha256-") == 2


@pytest.fixture(scope="module")
def drawn(made_up, tmp_path_factory) -> Run:
    """Two datasets of one view, with labels that matplotlib could take for mathematics."""
    folder = tmp_path_factory.mktemp("drawn") / "run"
    arms = [*made_up.arms(4)[:2], made_up.Arm("_$x_1$", lambda a: 1, lambda a: 1)]
    made_up.write_run(folder, methods=arms, trouble=False, group_label="a_$b$", views=1)
    return Run(folder)


@pytest.fixture(scope="module")
def again(small) -> Run:
    """The run `small`, read and computed a second time."""
    return Run(small.path)


@pytest.mark.parametrize("form", ["json", "csv", "markdown", "html", "latex"])
def test_equal_runs_give_equal_bytes(small, again, form):
    assert documents(form, small) == documents(form, again)


def test_equal_runs_give_equal_figures(drawn):
    assert documents("svg", drawn) == documents("svg", Run(drawn.path))


@pytest.mark.parametrize(
    ("form", "magic"), [("svg", b"<?xml"), ("png", b"\x89PNG"), ("pdf", b"%PDF")]
)
def test_static_figures_of_every_view_and_curve(drawn, form, magic):
    files = documents(form, drawn)
    assert len(files) == 2 * 4, "fronts, groups, changes, and curves of one method, of two datasets"
    assert all(content.startswith(magic) for content in files.values())
    assert all(re.fullmatch(r"[\w.-]+", name) for name in files)
    assert f"fronts-parkinson-motor_UPDRS-sex.{form}" in files


def test_figures_whose_labels_differ_in_punctuation_alone_are_all_kept(made_up, tmp_path):
    arms = made_up.arms(4)
    twice = [
        made_up.Arm(name, arms[1].gap, arms[1].noise, arms[1].values) for name in ("a*b", "a/b")
    ]
    made_up.write_run(
        tmp_path / "run", methods=[arms[0], *twice], trouble=False, labels=("one",), views=1
    )
    files = documents("svg", Run(tmp_path / "run"))
    assert len(files) == 1 + 2 + 2, "fronts, curves of both, groups, changes"


def test_static_figures_without_matplotlib_say_what_to_install(run, monkeypatch):
    import sys

    from fairbench.errors import PluginError

    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(PluginError, match="figures"):
        documents("svg", run)


@pytest.mark.parametrize("form", [*TEXT, "html", "svg"])
def test_an_unfinished_run_is_said_to_be_so(form, made_up, tmp_path):
    made_up.write_run(tmp_path / "run", methods=made_up.arms(6)[:3], splits=3, labels=("one",))
    wanted = "unfinished run" if form == "svg" else "6 of 9 chunks, 1 failed, 2 missing"
    assert wanted not in str(documents(form, Run(tmp_path / "run")))
    for file in sorted(tmp_path.glob("run/chunks/*.json"))[:2]:
        file.unlink()
    assert wanted in str(documents(form, Run(tmp_path / "run")))
