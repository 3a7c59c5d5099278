"""Numbers from stored predictions: tables, fronts, intervals and verdicts. Never retrains."""

from fairbench.analyze.ahead import Ahead
from fairbench.analyze.arbitrariness import arbitrariness_table
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
from fairbench.analyze.box import Box, boxes
from fairbench.analyze.columns import METHOD, PLACE, POINT
from fairbench.analyze.comparisons import (
    FEWEST_DATASETS,
    Across,
    across_datasets,
    holm,
    wilcoxon,
)
from fairbench.analyze.contrasts import (
    compare,
    paired,
)
from fairbench.analyze.debiased import between_groups, debiased_table
from fairbench.analyze.elsewhere import (
    seen_elsewhere,
)
from fairbench.analyze.foresight import hopeless
from fairbench.analyze.group_evidence import EVIDENCE, group_tables
from fairbench.analyze.group_values import (
    GroupValues,
    group_values,
)
from fairbench.analyze.held_out import (
    HeldOut,
    held_out,
)
from fairbench.analyze.indicators import (
    INDICATORS,
    deployed,
    hypervolume,
    indicators,
    indicators_table,
    mean_over_splits,
)
from fairbench.analyze.intervals import (
    Correction,
    Interval,
    below_zero,
    corrected_interval,
    posterior,
    scaled_interval,
    smallest_detectable,
)
from fairbench.analyze.levelling import group_changes
from fairbench.analyze.luck import Luck
from fairbench.analyze.matched import (
    baseline_points,
    matched_points,
    measured,
)
from fairbench.analyze.noise import (
    Chance,
    beyond_noise,
    chance,
    noise_floor,
)
from fairbench.analyze.overlap import (
    Overlap,
    split_overlap,
)
from fairbench.analyze.permutation import (
    permuted,
    smallest_p,
)
from fairbench.analyze.pilot import Pilot, pilots
from fairbench.analyze.planning import Design, Spread, designs
from fairbench.analyze.population import population_interval
from fairbench.analyze.primary import (
    DISPARITY_MARGIN,
    MARGIN,
    Primary,
)
from fairbench.analyze.relative import relative_table
from fairbench.analyze.rules import (
    ACCURACY,
    EDITION,
    LEVEL,
    RULES,
    Rule,
    in_words,
)
from fairbench.analyze.run import (
    Run,
)
from fairbench.analyze.selection import optimism
from fairbench.analyze.skill import baseline_skill
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
    disagreements,
    judge,
    verdicts,
)
from fairbench.analyze.view import View

__all__ = [
    "ACCURACY",
    "DISPARITY_MARGIN",
    "EDITION",
    "EVIDENCE",
    "FEWEST_DATASETS",
    "INDICATORS",
    "LEVEL",
    "LEVELS",
    "MARGIN",
    "METHOD",
    "PLACE",
    "POINT",
    "RULES",
    "Across",
    "Ahead",
    "Axes",
    "Best",
    "Box",
    "Chance",
    "Correction",
    "Design",
    "Finding",
    "GroupValues",
    "HeldOut",
    "Interval",
    "Luck",
    "Overlap",
    "Pilot",
    "Primary",
    "Rule",
    "Run",
    "Spread",
    "View",
    "across_datasets",
    "arbitrariness_table",
    "as_loss",
    "attainment_difference",
    "attainment_table",
    "audit_dataset",
    "audit_rows",
    "audit_splits",
    "audit_trials",
    "baseline_points",
    "baseline_skill",
    "below_zero",
    "between_groups",
    "beyond_noise",
    "boxes",
    "chance",
    "compare",
    "corrected_interval",
    "debiased_table",
    "deployed",
    "designs",
    "difference",
    "disagreements",
    "fronts_table",
    "group_changes",
    "group_tables",
    "group_values",
    "groups_table",
    "held_out",
    "holm",
    "hopeless",
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
    "pilots",
    "population_interval",
    "posterior",
    "relative_table",
    "scaled_interval",
    "seen_elsewhere",
    "smallest_detectable",
    "smallest_p",
    "split_overlap",
    "summary_table",
    "surfaces",
    "trials_table",
    "verdicts",
    "wilcoxon",
]
