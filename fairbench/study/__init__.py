"""Studies: what is compared on what, resolved into the chunks that have to be trained."""

from fairbench.study.config import read_document, read_study
from fairbench.study.grid import parse_grid
from fairbench.study.plan import Arm, Chunk, Plan, plan
from fairbench.study.study import MethodSpec, ProtocolSpec, Study, validated

__all__ = [
    "Arm",
    "Chunk",
    "MethodSpec",
    "Plan",
    "ProtocolSpec",
    "Study",
    "parse_grid",
    "plan",
    "read_document",
    "read_study",
    "validated",
]
