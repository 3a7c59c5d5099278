"""How verdicts are reached, word by word."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar

from fairbench.analyze import in_words
from fairbench.report.blocks import Block, Definitions
from fairbench.report.section import Section

if TYPE_CHECKING:
    from fairbench.report.contents import Contents

__all__ = ["Rules"]


class Rules(Section):
    """The rules of verdicts on fairness and on accuracy; the first that applies decides."""

    name: ClassVar[str] = "rules"
    title: ClassVar[str] = "How verdicts are reached"

    def of_report(self, contents: Contents, /) -> Iterator[Block]:
        yield Definitions(
            _of("fairness"),
            title=(
                "Differences are paired by split. Intervals and p-values allow for training sets "
                "that overlap, p-values also for the number of comparisons on this page. The "
                "first rule that applies decides"
            ),
            folded=True,
        )
        yield Definitions(_of("accuracy"), title="Accuracy has a verdict of its own", folded=True)


def _of(judged: str) -> tuple[tuple[str, str], ...]:
    return tuple((verdict, when) for what, verdict, when in in_words() if what == judged)
