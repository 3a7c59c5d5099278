"""What reports say of chance: in the metric's own sign, and when nothing can be told."""

import numpy as np
import pytest

from fairbench.report import View, gather
from fairbench.report.sections.quality import noise_sentence


@pytest.mark.parametrize(
    ("name", "side"), [("r2-worst", "above"), ("rmse-worst", "below"), ("rmse-ratio", "nearer")]
)
def test_chance_is_told_in_the_metrics_own_sign(made_up, tmp_path, name, side):
    from fairbench.analyze import Run

    metrics = [*made_up.METRICS, "r2-worst", "rmse-worst", "rmse-ratio"]
    made_up.write_run(
        tmp_path / "run",
        methods=made_up.arms(2),
        trouble=False,
        labels=("c",),
        views=1,
        metrics=metrics,
    )
    contents = gather([Run(tmp_path / "run")], View(disparity=name))
    sheet = contents.sheets[0]
    aspect = next(sheet.aspects)
    told = noise_sentence(contents, aspect)
    floor = contents.judgement.noise.iloc[0]
    assert f"dealt at random it is {floor['null_mean']:.3g} (95 % {side}" in told
    assert np.sign(floor["null_mean"]) == np.sign(floor["disparity"])
    assert abs(floor["null_mean"] - floor["disparity"]) < 0.5 * abs(floor["disparity"])


def test_a_test_without_power_is_no_finding(contents):
    from dataclasses import replace

    noise = contents.judgement.noise.assign(powerless="with 4 tested clusters no p-value …")
    changed = replace(contents, judgement=replace(contents.judgement, noise=noise))
    sheet = changed.sheets[0]
    aspect = next(sheet.aspects)
    told = noise_sentence(changed, aspect)
    assert told.endswith("cannot be told: with 4 tested clusters no p-value ….")
