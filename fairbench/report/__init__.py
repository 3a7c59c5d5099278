"""Reports: what a run found, for people. Formats are plugins of kind ``reporter``."""

from fairbench.analyze import View
from fairbench.report.across import Comparison
from fairbench.report.by_group import GroupEvidence
from fairbench.report.contents import Contents, gather
from fairbench.report.judgement import Judgement
from fairbench.report.missing import unusable
from fairbench.report.points import averaged_fronts
from fairbench.report.reporter import Documents, Reporter
from fairbench.report.sheet import Sheet

__all__ = [
    "Comparison",
    "Contents",
    "Documents",
    "GroupEvidence",
    "Judgement",
    "Reporter",
    "Sheet",
    "View",
    "averaged_fronts",
    "gather",
    "unusable",
]
