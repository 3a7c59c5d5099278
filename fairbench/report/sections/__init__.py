"""The sections of a report, in the order in which a reader asks."""

from fairbench.report.section import Section
from fairbench.report.sections.across import AcrossDatasets
from fairbench.report.sections.audits import Audits
from fairbench.report.sections.costs import Costs
from fairbench.report.sections.curves import Curves
from fairbench.report.sections.data import DataCards
from fairbench.report.sections.fronts import Fronts
from fairbench.report.sections.groups import Groups
from fairbench.report.sections.quality import Quality
from fairbench.report.sections.reliability import Reliability
from fairbench.report.sections.reproduce import Reproduce
from fairbench.report.sections.rules import Rules
from fairbench.report.sections.summary import Summary
from fairbench.report.sections.troubles import Troubles

__all__ = ["SECTIONS"]

SECTIONS: tuple[Section, ...] = (
    Summary(),
    Groups(),
    Fronts(),
    Curves(),
    AcrossDatasets(),
    Quality(),
    Reliability(),
    DataCards(),
    Audits(),
    Troubles(),
    Rules(),
    Costs(),
    Reproduce(),
)
