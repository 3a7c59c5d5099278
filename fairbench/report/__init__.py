"""Reports: what a run found, for people. Formats are plugins of kind ``reporter``."""

from fairbench.report.contents import Contents, Sheet, gather
from fairbench.report.judgement import Judgement
from fairbench.report.missing import unusable
from fairbench.report.points import averaged_fronts
from fairbench.report.ranks import Ranks
from fairbench.report.reporter import Documents, Reporter, View

__all__ = [
    "Contents",
    "Documents",
    "Judgement",
    "Ranks",
    "Reporter",
    "Sheet",
    "View",
    "averaged_fronts",
    "gather",
    "unusable",
]
