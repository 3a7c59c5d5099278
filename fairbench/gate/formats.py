"""What the gate says, for a pull request and for a build server."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Iterator
from xml.etree import ElementTree

from fairbench.gate.verdict import HEADER, NUMBERS, Verdict, cells, clean, sentence

__all__ = ["as_junit", "as_markdown"]


def as_markdown(verdict: Verdict, /) -> str:
    """A comment for a pull request; names in it can neither mark up nor mention anyone."""
    return "\n".join(_lines(verdict)) + "\n"


def _lines(verdict: Verdict) -> Iterator[str]:
    yield f"### fairbench gate: {_escaped(verdict.headline)}"
    if verdict.shown:
        yield from ("", _row(HEADER))
        yield _row("---:" if k in NUMBERS else "---" for k in range(len(HEADER)))
        for one in verdict.shown:
            first, *rest = map(_escaped, cells(one))
            yield _row([f"**{first}**" if one.status == "regression" else first, *rest])
        yield from ("", "Above zero is worse, whichever value of a metric is best.")
    if verdict.remarks:
        yield ""
        yield from (f"- {_escaped(remark)}" for remark in verdict.remarks)


def _row(words: Iterable[str]) -> str:
    return f"| {' | '.join(words)} |"


def _escaped(words: str) -> str:
    line = html.escape(clean(words), quote=False)
    line = re.sub(r"([\\`*_{}\[\]()#|~!])", r"\\\1", line)
    return line.replace("@", "@\N{ZERO WIDTH SPACE}").replace("://", ":\N{ZERO WIDTH SPACE}//")


def as_junit(verdict: Verdict, /) -> str:
    """JUnit XML with one test case per comparison, those that were skipped included.

    Where nothing could be compared, what was skipped is an error: a build server that reads
    this file alone must not take it for a success.
    """
    outcome = verdict.outcome
    nothing = outcome.exit_code == 3
    failed = len(outcome.of("regression"))
    lost = max(1, len(outcome.skipped)) if nothing else 0
    total = len(outcome.comparisons) + (lost or len(outcome.skipped))
    counts = {
        "tests": str(total),
        "failures": str(failed),
        "errors": str(lost),
        "skipped": str(0 if nothing else len(outcome.skipped)),
    }
    suites = ElementTree.Element("testsuites", counts)
    suite = ElementTree.SubElement(suites, "testsuite", {"name": "fairbench gate", **counts})
    for one in outcome.comparisons:
        case = _case(suite, one.place)
        told = clean(sentence(one))
        kind = "failure" if one.status == "regression" else "system-out"
        attributes = {"type": "regression", "message": told} if kind == "failure" else {}
        ElementTree.SubElement(case, kind, attributes).text = told
    for skipped in outcome.skipped:
        attributes = {"message": clean(skipped.reason)}
        case = _case(suite, skipped.place)
        ElementTree.SubElement(case, "error" if nothing else "skipped", attributes)
    if nothing and not outcome.skipped:
        case = ElementTree.SubElement(suite, "testcase", classname="fairbench", name="gate")
        ElementTree.SubElement(case, "error", message=clean(verdict.headline))
    if outcome.comparisons and verdict.remarks:
        told = "\n".join(map(clean, verdict.remarks))
        ElementTree.SubElement(suite, "system-out").text = told
    ElementTree.indent(suites)
    text = ElementTree.tostring(suites, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}\n'


def _case(suite: ElementTree.Element, place: tuple[str, ...]) -> ElementTree.Element:
    dataset, target, protected, method, point, metric = map(clean, place)
    name = f"{metric} ({point}): {target} by {protected}"
    return ElementTree.SubElement(
        suite, "testcase", classname=f"{dataset}.{method}", name=name, time="0"
    )
