"""Reports: what a run found, for people. Formats are plugins of kind ``reporter``.

`gather` collects what runs say; `SECTIONS` tell it in blocks, which every format walks.
"""

from fairbench.analyze import View
from fairbench.report.across import Comparison
from fairbench.report.blocks import Block, Cells, Code, Definitions, Intervals, Mark, Said, Verdict
from fairbench.report.contents import Contents, gather
from fairbench.report.judgement import Judgement
from fairbench.report.points import averaged_fronts
from fairbench.report.reporter import Documents, Reporter
from fairbench.report.section import Data, Section
from fairbench.report.sections import SECTIONS
from fairbench.report.sheet import Aspect, Sheet
from fairbench.report.walk import Heading, in_text

__all__ = [
    "SECTIONS",
    "Aspect",
    "Block",
    "Cells",
    "Code",
    "Comparison",
    "Contents",
    "Data",
    "Definitions",
    "Documents",
    "Heading",
    "Intervals",
    "Judgement",
    "Mark",
    "Reporter",
    "Said",
    "Section",
    "Sheet",
    "Verdict",
    "View",
    "averaged_fronts",
    "gather",
    "in_text",
]
