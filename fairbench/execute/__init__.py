"""Where chunks are trained: in this process, in several, or on a cluster."""

from fairbench.execute.executor import Executor, Limits, cores
from fairbench.execute.guard import refuse_unguarded
from fairbench.execute.interrupt import check_interrupt, heeded, held
from fairbench.execute.job import Job, Outcome, Shared, carry_out, vouch

__all__ = [
    "Executor",
    "Job",
    "Limits",
    "Outcome",
    "Shared",
    "carry_out",
    "check_interrupt",
    "cores",
    "heeded",
    "held",
    "refuse_unguarded",
    "vouch",
]
