"""HTML: one self-contained file with interactive figures."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, ClassVar

from fairbench.report import Documents, Reporter, View, gather
from fairbench_reporters import _across, _by_group, _cells, _judged
from fairbench_reporters._payload import payload

if TYPE_CHECKING:
    from fairbench.analyze import Run

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
            cells=_cells,
            judged=_judged,
            across=_across,
            by_group=_by_group,
            manifests=[json.dumps(run.manifest, indent=2, ensure_ascii=False) for run in runs],
            # These two are files of this package: nothing in them comes from a run.
            script=Markup(script),  # noqa: S704
            style=Markup(_static("page.css")),  # noqa: S704
            data=_packed(json.dumps(payload(contents), allow_nan=False, separators=(",", ":"))),
            plotly=_plotly()[0],
            policy=f"'{_hash(script)}' '{_plotly()[1]}'",
        )
        return {"report.html": page}


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
