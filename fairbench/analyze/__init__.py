"""Numbers from stored predictions: tables, fronts, intervals and verdicts. Never retrains."""

from fairbench.analyze.attainment import (
    LEVELS,
    attainment_difference,
    attainment_table,
    difference,
    surfaces,
)
from fairbench.analyze.audits import (
    Finding,
    audit_dataset,
    audit_rows,
    audit_trials,
)
from fairbench.analyze.axes import (
    Axes,
    Best,
    as_loss,
    nondominated,
)
from fairbench.analyze.comparisons import (
    FEWEST_DATASETS,
    Ranking,
    holm,
    ranking,
    wilcoxon,
)
from fairbench.analyze.indicators import (
    INDICATORS,
    hypervolume,
    indicators,
    indicators_table,
    mean_over_splits,
)
from fairbench.analyze.intervals import (
    Interval,
    bca_interval,
    corrected_interval,
    smallest_detectable,
)
from fairbench.analyze.matched import (
    TOLERANCE,
    baseline_points,
    compare,
    matched_points,
    measured,
    paired,
)
from fairbench.analyze.noise import (
    beyond_noise,
    noise_floor,
)
from fairbench.analyze.overlap import (
    Overlap,
    split_overlap,
)
from fairbench.analyze.permutation import (
    permuted,
)
from fairbench.analyze.relative import relative_table
from fairbench.analyze.run import (
    Run,
)
from fairbench.analyze.selection import (
    Box,
    boxes,
    optimism,
)
from fairbench.analyze.split_audits import audit_splits
from fairbench.analyze.summary import (
    summary_table,
)
from fairbench.analyze.tables import (
    fronts_table,
    groups_table,
    metrics_table,
    trials_table,
)
from fairbench.analyze.verdicts import (
    RULES,
    Rule,
    disagreements,
    judge,
    verdicts,
)

__all__ = [
    "FEWEST_DATASETS",
    "INDICATORS",
    "LEVELS",
    "RULES",
    "TOLERANCE",
    "Axes",
    "Best",
    "Box",
    "Finding",
    "Interval",
    "Overlap",
    "Ranking",
    "Rule",
    "Run",
    "as_loss",
    "attainment_difference",
    "attainment_table",
    "audit_dataset",
    "audit_rows",
    "audit_splits",
    "audit_trials",
    "baseline_points",
    "bca_interval",
    "beyond_noise",
    "boxes",
    "compare",
    "corrected_interval",
    "difference",
    "disagreements",
    "fronts_table",
    "groups_table",
    "holm",
    "hypervolume",
    "indicators",
    "indicators_table",
    "judge",
    "matched_points",
    "mean_over_splits",
    "measured",
    "metrics_table",
    "noise_floor",
    "nondominated",
    "optimism",
    "paired",
    "permuted",
    "ranking",
    "relative_table",
    "smallest_detectable",
    "split_overlap",
    "summary_table",
    "surfaces",
    "trials_table",
    "verdicts",
    "wilcoxon",
]
