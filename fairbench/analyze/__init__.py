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
from fairbench.analyze.contrasts import (
    compare,
    paired,
)
from fairbench.analyze.elsewhere import (
    seen_elsewhere,
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
    below_zero,
    corrected_interval,
    posterior,
    scaled_interval,
    smallest_detectable,
    split_ratio,
)
from fairbench.analyze.levelling import group_changes
from fairbench.analyze.matched import (
    baseline_points,
    matched_points,
    measured,
)
from fairbench.analyze.noise import (
    beyond_noise,
    noise_floor,
)
from fairbench.analyze.permutation import (
    permuted,
)
from fairbench.analyze.primary import (
    DISPARITY_MARGIN,
    MARGIN,
    Primary,
)
from fairbench.analyze.relative import relative_table
from fairbench.analyze.rules import (
    ACCURACY,
    EDITION,
    RULES,
    Rule,
    in_words,
)
from fairbench.analyze.run import (
    Run,
)
from fairbench.analyze.selection import (
    Box,
    boxes,
    optimism,
)
from fairbench.analyze.skill import baseline_skill
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
    disagreements,
    judge,
    verdicts,
)

__all__ = [
    "ACCURACY",
    "DISPARITY_MARGIN",
    "EDITION",
    "FEWEST_DATASETS",
    "INDICATORS",
    "LEVELS",
    "MARGIN",
    "RULES",
    "Axes",
    "Best",
    "Box",
    "Finding",
    "Interval",
    "Primary",
    "Ranking",
    "Rule",
    "Run",
    "as_loss",
    "attainment_difference",
    "attainment_table",
    "audit_dataset",
    "audit_rows",
    "audit_trials",
    "baseline_points",
    "baseline_skill",
    "bca_interval",
    "below_zero",
    "beyond_noise",
    "boxes",
    "compare",
    "corrected_interval",
    "difference",
    "disagreements",
    "fronts_table",
    "group_changes",
    "groups_table",
    "holm",
    "hypervolume",
    "in_words",
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
    "posterior",
    "ranking",
    "relative_table",
    "scaled_interval",
    "seen_elsewhere",
    "smallest_detectable",
    "split_ratio",
    "summary_table",
    "surfaces",
    "trials_table",
    "verdicts",
    "wilcoxon",
]
