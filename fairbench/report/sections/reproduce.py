"""How to get the same numbers again."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar

from fairbench.report.blocks import Block, Code
from fairbench.report.section import Section

if TYPE_CHECKING:
    from fairbench.report.contents import Contents

__all__ = ["Reproduce"]


class Reproduce(Section):
    """Command and manifest of every run."""

    name: ClassVar[str] = "reproduce"
    title: ClassVar[str] = "Reproduce"

    def of_report(self, contents: Contents, /) -> Iterator[Block]:
        for run in contents.runs:
            if run.manifest["command"]:
                told = "This command, with the same versions and data, gives the same numbers"
                yield Code(run.manifest["command"], title=told)
            text = json.dumps(run.manifest, indent=2, ensure_ascii=False)
            yield Code(text, title=f"Manifest of {run.manifest['title']}", folded=True)
