"""What was found: warnings first, then verdicts, and the numbers behind them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar

import pandas as pd

from fairbench.analyze import PLACE, Run
from fairbench.report.blocks import Block, Cells, Said, Verdict
from fairbench.report.missing import unusable
from fairbench.report.section import Data, Section
from fairbench.report.sections.first import changes, verdict_table, worse_off
from fairbench.report.sections.quality import noise_sentence
from fairbench.report.sheet import rows_of
from fairbench.report.words import between, loss_name, number, signed

if TYPE_CHECKING:
    from fairbench.report.contents import Contents
    from fairbench.report.sheet import Aspect, Sheet

__all__ = ["Summary"]


class Summary(Section):
    """Everything that a reader must know, and where the rest is."""

    name: ClassVar[str] = "summary"
    title: ClassVar[str] = "Summary"

    def of_report(self, contents: Contents, /) -> Iterator[Block]:
        for sentence in contents.unfinished:
            yield Said(sentence, lead="Unfinished")
        yield from _lost(contents)
        for warning in contents.judgement.disagreements["warning"]:
            yield Said(warning, lead="Warning")
        yield from _concerns(contents)
        if len(contents.judgement.verdicts):
            yield verdict_table(contents)
        seen = {_seen_on(sheet) for sheet in contents.sheets}
        yield Said(
            f"Here {contents.axes.error} is the error and {contents.axes.disparity} the difference "
            "between groups. Every method is set, for each training, to the trade-off value that "
            f"was fairest on {' or '.join(sorted(seen))} among those whose error there "
            f"was at most {100 * contents.tolerance:.3g} % above the baseline's; what it then "
            "reaches on test rows is held against the baseline on the same rows."
        )
        if contents.across.missing and len(contents.sheets) > 1:
            yield Said(f"Methods are not compared over datasets: {contents.across.missing}.")

    def of_sheet(self, contents: Contents, sheet: Sheet, /) -> Iterator[Block]:
        for warning in (*_warnings(sheet), *_doubts(contents, sheet)):
            yield Said(warning, lead="Warning")
        yield Said(f"Protocol {sheet.protocol['name']}: {sheet.protocol['label']}")
        if told := _primary(contents, sheet):
            yield Said(told)

    def of_aspect(self, contents: Contents, aspect: Aspect, /) -> Iterator[Block]:
        found = aspect.of(contents.judgement.verdicts)
        for told in (worse_off(contents, aspect), noise_sentence(contents, aspect)):
            if told:
                yield Said(told)
        if len(found):
            yield changes(contents, aspect)
        judged = list(map(Verdict, found["verdict"], found["sentence"]))
        judged += [Verdict("no verdict", why) for why in unusable(contents, aspect)]
        yield from judged
        if not judged:
            why = "no other method was run beside the baseline"
            yield Said(
                f"No verdict: {why if aspect.sheet.baseline else 'this study has no baseline'}."
            )
        if len(found):
            yield _comparison(contents, aspect)

    def data(self, contents: Contents, /) -> Iterator[Data]:
        yield Data("verdicts", contents.judgement.verdicts)
        yield Data("baseline-groups", contents.table(Run.baseline_groups))
        rows = [
            (aspect.sheet.label, aspect.target, aspect.protected, told)
            for sheet in contents.sheets
            for aspect in sheet.aspects
            for told in unusable(contents, aspect)
        ]
        columns = [*PLACE, "sentence"]
        yield Data("unusable", pd.DataFrame(rows, columns=columns))
        yield Data("disagreements", contents.judgement.disagreements)
        yield Data("baseline-skill", contents.judgement.skill)


def _seen_on(sheet: Sheet) -> str:
    """The rows by which trade-off values of this sheet are chosen."""
    if sheet.protocol["selection"] == "test":
        return "the test rows themselves"
    return "the validation rows of other trainings"


def _lost(contents: Contents) -> Iterator[Said]:
    failed, diverged = contents.failures, contents.diverged
    if len(failed) or len(diverged):
        yield Said(
            f"Trials missing from every number: {failed['trials'].sum()} in chunks that failed, "
            f"{len(diverged)} that gave no usable prediction.",
            lead="Failures",
            see="troubles",
        )


def _concerns(contents: Contents) -> Iterator[Said]:
    count = int((contents.judgement.audits["level"] == "warning").sum())
    if count:
        give = "audit gives" if count == 1 else "audits give"
        yield Said(f"{count} {give} a reason to think twice.", lead="Audits", see="audits")


def _warnings(sheet: Sheet) -> Iterator[str]:
    """Yield what must be said of this dataset and of its methods, before any number."""
    if sheet.facts["warning"]:
        yield sheet.facts["warning"]
    yield from (f"{name}: {m['warning']}" for name, m in sheet.methods.items() if m["warning"])


def _doubts(contents: Contents, sheet: Sheet) -> Iterator[str]:
    """Yield what takes the ground from under every comparison with the baseline."""
    skill = contents.judgement.skill
    own = skill[(skill["dataset"] == sheet.label) & ~skill["better"].astype(bool)]
    name = contents.axes.error
    sign = -1 if contents.axes.error_best == "high" else 1
    for s in rows_of(own):
        yield (
            f"{sheet.baseline} is not shown to predict {s.target} better than its mean does: "
            f"{name} {number(sign * s.error)} against {number(sign * s.mean_error)}. What is "
            "compared with it says little."
        )


def _primary(contents: Contents, sheet: Sheet) -> str:
    """The analysis that was declared; empty where this sheet is not part of it."""
    stated = contents.judgement.primary
    if sheet.label not in stated.views or sheet.baseline is None:
        return ""
    target, protected = stated.views[sheet.label]
    whose = "Primary analysis" if stated.declared else "Primary analysis (none was declared)"
    told = (
        f"{whose}: {target} by {protected}, error {stated.error} with a margin of "
        f"{100 * stated.margin:.3g} %, disparity {stated.disparity} with a margin of "
        f"{100 * stated.disparity_margin:.3g} %. All else is exploratory."
    )
    if stated.covers(contents.axes, contents.tolerance):
        return told
    return f"{told} This report looks at another: nothing in it is the primary analysis."


def _comparison(contents: Contents, aspect: Aspect) -> Cells:
    """The numbers behind the verdicts."""
    axes = contents.axes
    disparity = loss_name(axes.disparity, axes.disparity_best)
    error = loss_name(axes.error, axes.error_best)
    header = (
        "method",
        "verdict",
        f"change in {disparity}{_unit(contents, axes.disparity, aspect.target)}",
        "95 % interval",
        "in the population",
        "in sd over seeds",
        f"change in {error}{_unit(contents, axes.error, aspect.target)}",
        "95 % interval",
        "accuracy",
        "fairer on",
        "adjusted p",
        "p of error within margin",
        "would have missed below",
        "probability fairer",
    )
    rows = tuple(
        (
            v.method,
            v.verdict,
            signed(v.difference),
            between(v.low, v.high),
            between(v.population_low, v.population_high),
            signed(v.effect_size),
            signed(v.error_difference),
            between(v.error_low, v.error_high),
            v.accuracy or "–",
            f"{v.fairer_on} of {v.splits} splits",
            number(v.adjusted_p),
            number(v.adjusted_margin_p),
            number(v.detectable),
            number(v.p_fairer),
        )
        for v in rows_of(aspect.of(contents.judgement.verdicts))
    )
    return Cells(
        header,
        rows,
        numbers=(2, 3, 4, 5, 6, 7, 9, 10, 11, 12, 13),
        name="verdicts",
        title=f"The numbers behind these verdicts, against {aspect.sheet.baseline}",
        folded=True,
    )


def _unit(contents: Contents, metric: str, target: str) -> str:
    """The unit of a metric in brackets; nothing for a metric without one."""
    units = {"target": f" (in units of {target})", "target²": f" (in squared units of {target})"}
    return units.get(contents.metrics[metric].unit, "")
