"""All of the paper rerun: `reproduce` gives the results, `PaperReproduction` the report."""

from fairbench_paper.reproduction.documents import documents, pages
from fairbench_paper.reproduction.paper import PaperReproduction, reproduce
from fairbench_paper.reproduction.readings import FULL, QUICK, READINGS, Reading, Scale
from fairbench_paper.reproduction.results import Results
from fairbench_paper.reproduction.storage import dumps, load, plain

__all__ = [
    "FULL",
    "QUICK",
    "READINGS",
    "PaperReproduction",
    "Reading",
    "Results",
    "Scale",
    "documents",
    "dumps",
    "load",
    "pages",
    "plain",
    "reproduce",
]
