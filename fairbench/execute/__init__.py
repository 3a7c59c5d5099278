"""Where chunks are trained: in this process, in several, or on a cluster."""

from fairbench.execute.executor import Executor, Limits, cores
from fairbench.execute.job import Job, Outcome, Shared, carry_out

__all__ = ["Executor", "Job", "Limits", "Outcome", "Shared", "carry_out", "cores"]
