"""Executors: they train chunks in this process, in several, or on a cluster."""

from fairbench.execute.executor import Executor, Limits, cores
from fairbench.execute.guard import refuse_unguarded
from fairbench.execute.interrupt import check_interrupt, heeded, held, starting
from fairbench.execute.job import Job, Outcome, Shared, carry_out, vouch
from fairbench.execute.threads import one_thread

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
    "one_thread",
    "refuse_unguarded",
    "starting",
    "vouch",
]
