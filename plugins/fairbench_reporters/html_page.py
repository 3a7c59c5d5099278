"""HTML: one self-contained file with interactive figures."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, ClassVar

from fairbench.report import SECTIONS, Documents, Reporter, View, gather
from fairbench_reporters._intervals import diagram
from fairbench_reporters._payload import payload

if TYPE_CHECKING:
    from fairbench.analyze import Run
    from fairbench.report import Aspect, Block, Contents, Section, Sheet

__all__ = ["Html"]

_SCRIPTS = ("numbers.js", "figures.js", "page.js")


@dataclass(frozen=True)
class Html(Reporter):
    """A page that opens without a network and shows every name in a run as plain text."""

    printed: ClassVar[bool] = False

    def render(self, runs: Sequence[Run], view: View, /) -> Documents:
        from jinja2 import Environment, PackageLoader, StrictUndefined
        from markupsafe import Markup

        contents = gather(runs, view)
        environment = Environment(
            loader=PackageLoader("fairbench_reporters", "static"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        script = "\n".join(map(_static, _SCRIPTS))
        page = environment.get_template("page.html.j2").render(
            contents=contents,
            parts=list(_parts(contents, environment.list_templates())),
            diagram=diagram,
            # These two are files of this package: nothing in them comes from a run.
            script=Markup(script),  # noqa: S704
            style=Markup(_static("page.css")),  # noqa: S704
            data=_packed(json.dumps(payload(contents), allow_nan=False, separators=(",", ":"))),
            plotly=_plotly()[0],
            policy=f"'{_hash(script)}' '{_plotly()[1]}'",
        )
        return {"report.html": page}


@dataclass(frozen=True)
class _Part:
    """One section, with the template of its interactive figure where it has one."""

    section: Section
    first: bool
    figure: str
    report: list[Block]
    sheets: list[tuple[Sheet, list[Block], list[tuple[Aspect, list[Block]]]]]


def _parts(contents: Contents, templates: Sequence[str]) -> Iterator[_Part]:
    """Yield every section that has something to show."""
    for number, section in enumerate(SECTIONS):
        sheets = []
        for sheet in contents.sheets:
            aspects = [(a, list(section.of_aspect(contents, a))) for a in sheet.aspects]
            aspects = [(aspect, blocks) for aspect, blocks in aspects if blocks]
            own = list(section.of_sheet(contents, sheet))
            if own or aspects:
                sheets.append((sheet, own, aspects))
        figure = f"figures/{section.name}.html.j2"
        figure = figure if figure in templates else ""
        report = list(section.of_report(contents))
        if report or sheets or figure:
            yield _Part(section, number == 0, figure, report, sheets)


def _static(name: str) -> str:
    return (files("fairbench_reporters") / "static" / name).read_text(encoding="utf-8")


@cache
def _plotly() -> tuple[str, str]:
    """plotly.js, packed, and its hash for the page's content policy."""
    from plotly.offline import get_plotlyjs

    script = get_plotlyjs()
    return _packed(script), _hash(script)


def _packed(text: str) -> str:
    """Compressed and in base64, for the browser to unpack.

    That takes it a tenth of a second and most of the file's size away, and leaves no character
    that could end the element the text stands in.
    """
    return base64.b64encode(gzip.compress(text.encode(), mtime=0)).decode()


def _hash(script: str) -> str:
    digest = hashlib.sha256(script.encode()).digest()
    return f"sha256-{base64.b64encode(digest).decode()}"
