"""A report as Markdown, as one HTML page, and as text for a terminal."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from html import escape
from importlib.resources import files
from textwrap import fill

from fairbench_paper.reproduction.blocks import Block, Bullets, Facts, Section, Text, Warned
from fairbench_paper.reproduction.figures import Figure
from fairbench_paper.reproduction.results import Results
from fairbench_paper.reproduction.sections import TITLE, report

__all__ = ["html", "markdown", "terminal"]

COLUMNS = 100


def markdown(results: Results, figures: str, /) -> str:
    """The docs page; `figures` is the folder of the SVG files as seen from it."""
    lines = [f"# {TITLE}", ""]
    for section in report(results):
        lines += [f"{'#' * section.level} {section.title}", ""]
        for block in section.blocks:
            lines += [*_markdown(block, figures), ""]
    return "\n".join(lines).rstrip() + "\n"


def _markdown(block: Block, figures: str) -> Iterator[str]:
    match block:
        case Text(words):
            yield _marked(words)
        case Warned(words):
            yield f"> **Warning.** {_marked(words)}"
        case Bullets(items):
            yield from (f"- {_marked(item)}" for item in items)
        case Facts(header, rows, numbers):
            yield f"| {' | '.join(map(_marked, header))} |"
            rules = ("---:" if at in numbers else "---" for at in range(len(header)))
            yield f"| {' | '.join(rules)} |"
            yield from (f"| {' | '.join(map(_marked, row))} |" for row in rows)
        case Figure(number, title, caption):
            yield f"![Figure {number}: {_marked(title)}]({figures}/figure-{number}.svg)"
            yield ""
            yield f"*Figure {number}.* {_marked(caption)}"


def _marked(words: str) -> str:
    """Words as they are, neither Markdown nor HTML in them, but for code between backticks."""
    parts = re.split(r"(`[^`]*`)", words)
    return "".join(
        part
        if part.startswith("`")
        else re.sub(r"([\\*_\[\]#|])", r"\\\1", escape(part, quote=False))
        for part in parts
    )


def html(results: Results, /) -> str:
    """One page that opens without a network; every word in it is escaped."""
    sections = list(report(results))
    style = (files("fairbench_paper.reproduction") / "page.css").read_text(encoding="utf-8")
    headings = [section for section in sections if section.level == 2]
    links = " ".join(f'<a href="#{_anchor(s)}">{escape(s.title)}</a>' for s in headings)
    body = "\n".join(_section(section) for section in sections)
    policy = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<meta name="color-scheme" content="light dark">\n<title>{escape(TITLE)}</title>\n'
        f'<style>\n{style}</style>\n</head>\n<body>\n<header>\n<p class="kicker">fairbench</p>\n'
        f'<h1>{escape(TITLE)}</h1>\n<nav aria-label="Sections">{links}</nav>\n</header>\n'
        f"<main>\n{body}\n</main>\n</body>\n</html>\n"
    )


def _anchor(section: Section) -> str:
    return re.sub(r"[^a-z0-9]+", "-", section.title.lower()).strip("-")


def _section(section: Section) -> str:
    blocks = "\n".join(map(_html, section.blocks))
    level = section.level
    return f'<h{level} id="{_anchor(section)}">{escape(section.title)}</h{level}>\n{blocks}'


def _html(block: Block) -> str:
    match block:
        case Text(words):
            return f"<p>{_tagged(words)}</p>"
        case Warned(words):
            return f'<p class="warning"><b>Warning.</b> {_tagged(words)}</p>'
        case Bullets(items):
            return f"<ul>{''.join(f'<li>{_tagged(item)}</li>' for item in items)}</ul>"
        case Facts(header, rows, numbers):
            head = _row(header, numbers, 'th scope="col"', "th")
            body = "\n".join(_row(row, numbers, "td", "td") for row in rows)
            return (
                f'<div class="wide"><table><thead>{head}</thead><tbody>\n{body}\n'
                "</tbody></table></div>"
            )
        case Figure(number, _, caption, svg):
            # Clip paths have ids, and seven figures share one page.
            own = re.sub(r"(id=\"|url\(#)c(\d)", rf"\g<1>f{number}c\2", svg)
            words = f"<b>Figure {number}.</b> {_tagged(caption)}"
            return f"<figure>{own}<figcaption>{words}</figcaption></figure>"


def _row(cells: Sequence[str], numbers: frozenset[int], start: str, end: str) -> str:
    parts = []
    for at, cell in enumerate(cells):
        kind = ' class="number"' if at in numbers else ""
        parts.append(f"<{start}{kind}>{_tagged(cell)}</{end}>")
    return f"<tr>{''.join(parts)}</tr>"


def _tagged(words: str) -> str:
    return re.sub(r"`([^`]*)`", r"<code>\1</code>", escape(words))


def terminal(results: Results, /) -> str:
    """The sections that matter most, in plain text."""
    lines: list[str] = []
    for section in report(results):
        if section.brief:
            lines += [section.title, "=" * len(section.title), ""]
            for block in section.blocks:
                lines += [*_plain(block), ""]
    return "\n".join(lines).rstrip()


def _plain(block: Block) -> Iterator[str]:
    match block:
        case Text(words):
            yield fill(words.replace("`", ""), COLUMNS)
        case Warned(words):
            yield fill(f"Warning: {words}", COLUMNS)
        case Bullets(items):
            yield from (fill(f"- {item}", COLUMNS, subsequent_indent="  ") for item in items)
        case Facts(header, rows):
            widths = [max(map(len, cells)) for cells in zip(header, *rows, strict=True)]
            for row in (header, *rows):
                cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
                yield "  ".join(cells).rstrip()
        case Figure():
            return
