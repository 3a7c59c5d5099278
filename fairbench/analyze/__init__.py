"""Numbers from stored predictions: tables, fronts, intervals and verdicts. Never retrains."""

from fairbench.analyze.axes import Axes, as_loss, nondominated
from fairbench.analyze.run import Run
from fairbench.analyze.summary import summary_table
from fairbench.analyze.tables import fronts_table, groups_table, metrics_table, trials_table

__all__ = [
    "Axes",
    "Run",
    "as_loss",
    "fronts_table",
    "groups_table",
    "metrics_table",
    "nondominated",
    "summary_table",
    "trials_table",
]
