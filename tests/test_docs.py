"""The pages: links resolve, every verb and flag is documented, and the examples work."""

from __future__ import annotations

import re
import shlex
import subprocess
import tomllib
from pathlib import Path

import click
import pytest

import fairbench
from fairbench.cli import main
from fairbench.plugins import load
from fairbench.study import read_study

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = sorted([*ROOT.glob("*.md"), *DOCS.glob("**/*.md")])
CLI = (DOCS / "cli.md").read_text()


def relative(page):
    return str(page.relative_to(ROOT))


def without_code(text):
    return re.sub(r"^```.*?^```", "", text, flags=re.M | re.S)


def anchors(page):
    """What headings are called in links, as both the site and code hosts do it."""
    titles = re.findall(r"^#+ (.+)$", without_code(page.read_text()), re.M)
    words = [re.sub(r"[^\w\- ]", "", title.lower()) for title in titles]
    return {re.sub(r" ", "-", title.strip()) for title in words}


def links(page):
    return re.findall(r"\]\(([^)\s]+)\)", without_code(page.read_text()))


@pytest.mark.parametrize("page", PAGES, ids=relative)
def test_links_resolve(page):
    for link in links(page):
        if re.match(r"https?://", link):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), f"{link} leads nowhere"
        if anchor:
            assert anchor in anchors(target), f"no heading is called {link}"


@pytest.mark.parametrize("page", sorted(DOCS.glob("**/*.md")), ids=relative)
def test_pages_of_the_site_link_only_into_the_site(page):
    for link in links(page):
        if not re.match(r"https?://|#", link):
            assert (page.parent / link.partition("#")[0]).resolve().is_relative_to(DOCS)


def test_every_page_is_in_the_navigation():
    navigation = (ROOT / "mkdocs.yml").read_text().partition("\nnav:")[2]
    listed = re.findall(r": (\S+\.md)$", navigation, re.M)
    assert sorted(listed) == sorted(str(page.relative_to(DOCS)) for page in DOCS.glob("**/*.md"))


# The command line and its page


def commands(command=main, path=("fairbench",)):
    """Every command by the words that call it."""
    with click.Context(command) as context:
        if isinstance(command, click.Group):
            for name in command.list_commands(context):
                yield from commands(command.get_command(context, name), (*path, name))
        if command is not main:
            yield " ".join(path), command


COMMANDS = dict(commands())


def section(name):
    """The part of cli.md about one command, without those about its own commands."""
    parts = re.split(r"^#+ (.+)$", CLI, flags=re.M)
    found = dict(zip(parts[1::2], parts[2::2], strict=True))
    assert name in found, f"docs/cli.md has no heading {name!r}"
    return found[name]


def documented(text):
    cells = re.findall(r"^\| (`-[^|]*) \|", text, re.M)
    return {flag for cell in cells for flag in re.findall(r"`(-[^`]+)`", cell)}


def flags(command):
    own = [parameter for parameter in command.params if isinstance(parameter, click.Option)]
    return {flag for option in own for flag in (*option.opts, *option.secondary_opts)}


@pytest.mark.parametrize("name", COMMANDS)
def test_every_flag_is_documented_and_no_other(name):
    assert documented(section(name)) == flags(COMMANDS[name])


def test_flags_before_the_verb_are_documented():
    before = CLI.partition("\n## ")[0]
    assert documented(before) == flags(main) | {"-h", "--help"}


def test_no_verb_is_documented_that_does_not_exist():
    assert set(re.findall(r"^#+ (fairbench .+)$", CLI, re.M)) == set(COMMANDS)


def test_the_readme_shows_every_verb():
    table = re.findall(r"^\| `fairbench (\S+)` \|", (ROOT / "README.md").read_text(), re.M)
    assert table == main.list_commands(click.Context(main))


# Examples


def examples():
    """Commands of fairbench on any page but those about software that is not installed here."""
    for page in PAGES:
        if page.name in ("plugins.md", "CHANGELOG.md"):
            continue
        text = page.read_text()
        code = "\n".join(re.findall(r"^```(?:console|bash)\n(.*?)^```", text, re.M | re.S))
        inline = re.findall(r"^\|.*\| `(fairbench [^`]+)` \|$", text, re.M)
        indented = re.findall(r"^    (fairbench .+?)(?:  +#.*)?$", text, re.M)
        lines = [each for line in code.splitlines() for each in line.split("&&")]
        for line in [*lines, *inline, *indented]:
            command = line.strip().removeprefix("$ ").strip()
            if command.startswith("fairbench "):
                yield pytest.param(command, id=f"{page.name}: {command}")


def parsed(words):
    """The command that `words` call and its parameters, checked as click does before calling."""
    context = main.make_context("fairbench", list(words))
    command, rest = main, [*context._protected_args, *context.args]
    while isinstance(command, click.Group):
        name, command, rest = command.resolve_command(context, rest)
        context = command.make_context(name, rest, parent=context)
        rest = [*context._protected_args, *context.args]
    return context.params


@pytest.mark.parametrize("command", list(examples()))
def test_commands_on_pages_exist(command):
    try:
        parameters = parsed(shlex.split(command)[1:])
    except click.ClickException as error:
        pytest.fail(error.format_message())
    except click.exceptions.Exit:  # --help and --version end here
        return
    registry = load()
    for method in parameters.get("methods") or ():
        registry.part("method", method)
    for dataset in parameters.get("datasets") or ():
        assert dataset.endswith((".csv", ".parquet")) or registry.find("dataset", dataset)
    if form := parameters.get("form"):
        registry.find("reporter", form)


def blocks(page, language):
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(), re.M | re.S)


@pytest.mark.parametrize("page", [DOCS / "cli.md"], ids=relative)
def test_studies_on_pages_are_studies(page, tmp_path):
    (text,) = blocks(page, "toml")
    (tmp_path / "study.toml").write_text(text)
    study = read_study(tmp_path / "study.toml", {})
    given = tomllib.loads(text)
    assert [dataset.name for dataset in study.datasets] == [d["name"] for d in given["datasets"]]
    registry = load()
    for spec in study.methods:
        registry.part("method", spec.name, spec.options).build()
    registry.find("protocol", study.protocol.name).build(study.protocol.options)


def test_the_python_example_of_the_readme_works(tmp_path, monkeypatch, capsys):
    (code,) = blocks(ROOT / "README.md", "python")
    full = fairbench.run

    def quick(study):
        return full(
            study.model_copy(update={"training": {"epochs": 1}, "splits": 3, "seeds": 1}), jobs=1
        )

    monkeypatch.setattr(fairbench, "run", quick)
    monkeypatch.chdir(tmp_path)
    scope = {"__name__": "__main__"}
    exec(code, scope)
    assert "static-alpha" in capsys.readouterr().out
    assert len(scope["fronts"]) == (10 + 1 + 1) * 3
    assert {"error", "disparity", "front"} <= set(scope["fronts"].columns)


def test_the_two_commands_of_the_readme_are_there():
    text = (ROOT / "README.md").read_text()
    assert "pip install . && fairbench run --method static-alpha --dataset parkinson" in text
    assert "pip install tox && tox" in text


def test_tox_environments_on_pages_exist():
    named = {
        name
        for page in PAGES
        for names in re.findall(r"`tox -e ([\w,]+)", page.read_text())
        for name in names.split(",")
    }
    configured = set(re.findall(r"^\[testenv:(\w+)\]$", (ROOT / "tox.ini").read_text(), re.M))
    assert named <= configured
    assert named


def test_the_picture_is_a_picture_of_modest_size():
    content = (DOCS / "images" / "report.png").read_bytes()
    assert content.startswith(b"\x89PNG")
    assert len(content) < 300_000


def test_ci_script_is_sound():
    script = ROOT / ".ci" / "run"
    assert script.stat().st_mode & 0o111
    subprocess.run(["bash", "-n", str(script)], check=True)
