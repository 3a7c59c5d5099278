import numpy as np
import pandas as pd
import pytest

from fairbench.analyze import Run, Spread, corrected_interval, designs, hopeless, pilots
from fairbench.analyze.planning import rotation, spread_of
from fairbench.dataset import Card, Dataset, Protected
from fairbench.fold import Split
from fairbench.plugins import load
from fairbench.study import Study, plan


def pairs(splits, seeds, spread, rng):
    """Rows of `paired` for differences with this spread."""
    shared = rng.normal(scale=spread.split_sd, size=(splits, 1))
    values = shared + rng.normal(scale=spread.seed_sd, size=(splits, seeds))
    variance = values.var(axis=1, ddof=1) / seeds if seeds > 1 else np.full(splits, np.nan)
    return pd.DataFrame(
        {
            "disparity_difference": values.mean(axis=1),
            "seed_variance": variance,
            "seeds": seeds,
        }
    )


def test_the_spread_of_a_pilot_is_taken_apart():
    rng = np.random.default_rng(0)
    found = spread_of(pairs(4000, 3, Spread(0.3, 0.5), rng))
    assert found.split_sd == pytest.approx(0.3, rel=0.05)
    assert found.seed_sd == pytest.approx(0.5, rel=0.05)
    assert found.deviation(5) == pytest.approx(np.sqrt(0.09 + 0.25 / 5), rel=0.05)
    single = spread_of(pairs(4000, 1, Spread(0.3, 0.4), rng))
    assert np.isnan(single.seed_sd)
    assert single.deviation(1) == single.deviation(10) == pytest.approx(0.5, rel=0.05)


def test_more_of_anything_finds_smaller_differences():
    found = {(d.splits, d.seeds): d.detectable for d in designs(Spread(0.3, 0.5))}
    assert found[10, 2] < found[5, 2]
    assert found[5, 3] < found[5, 2] < found[5, 1]
    adjusted = {(d.splits, d.seeds): d.detectable for d in designs(Spread(0.3, 0.5), comparisons=9)}
    assert all(adjusted[key] > found[key] for key in found)
    more = Spread(0.3, 0.5).with_rows(4)
    assert (more.split_sd, more.seed_sd) == (0.15, 0.5)


@pytest.mark.parametrize(("splits", "seeds"), [(5, 2), (10, 1), (20, 3)])
def test_what_is_printed_is_found_four_times_in_five(splits, seeds):
    """Differences of splits as correlated as folds that take turns are taken to be."""
    spread = Spread(0.3, 0.5)
    size = next(d.detectable for d in designs(spread) if (d.splits, d.seeds) == (splits, seeds))
    shared = rotation(splits, 5)
    rho = shared.ratio / (1 + shared.ratio)
    rng = np.random.default_rng(splits)
    # Of variance V, two by two with the correlation ρ, so that s² has the mean V (1 − ρ).
    total = spread.deviation(seeds) ** 2 / (1 - rho)
    common = rng.normal(size=(1500, 1)) * np.sqrt(rho * total)
    own = rng.normal(size=(1500, splits)) * np.sqrt((1 - rho) * total)
    found = [
        corrected_interval(row, shared.ratio, df=shared.df).p <= 0.05 for row in size + common + own
    ]
    assert 0.76 <= np.mean(found) <= 0.86


def test_a_run_is_a_pilot(make_run, metrics):
    def predict(trial, y, groups, rng):
        return y + rng.normal(size=y.shape) * (1 + groups[:, None])

    folder = make_run(splits=6, seeds=(0, 1), rows=300, predict=predict)
    manifest = dict(folder.manifest) | {"progress": {"train_seconds": 24.0}}
    folder.write_manifest(manifest)
    (found,) = pilots(Run(folder.path))
    assert (found.dataset, found.method, found.comparisons) == ("toy", "tuned", 1)
    assert found.seconds == pytest.approx(24 / 12)
    assert found.disparity == pytest.approx(Run(folder.path).verdicts()["base_disparity"].item())
    (half,) = pilots(Run(folder.path), rows=1200)
    assert half.spread.split_sd == pytest.approx(found.spread.split_sd / 2)
    assert half.spread.seed_sd == found.spread.seed_sd


def data(gap, rows=400, clusters=None):
    """Noise is `1 + gap` times as large in the second group, or in every second cluster."""
    rng = np.random.default_rng(3)
    of = None if clusters is None else rng.integers(0, clusters, rows)
    groups = rng.integers(0, 2, rows) if of is None else of % 2
    features = rng.normal(size=(rows, 3))
    y = features.sum(axis=1) + rng.normal(size=rows) * (1 + gap * groups)
    attribute = Protected("sex", "binary", groups.astype(float), groups, ("f", "m"))
    card = Card(title="", source="", licence="")
    named = "" if of is None else "person"
    return Dataset(
        "toy", features, ("a", "b", "c"), y[:, None], ("y",), (attribute,), of, named, card
    )


def said(dataset, comparisons=1, size=400):
    rng = np.random.default_rng(4)
    parts = []
    for _ in range(5):
        order = rng.permutation(size)
        parts.append(Split(*(np.sort(p) for p in np.split(order, [240, 320]))))
    metric = load().find("metric", "rmse-disparity")
    return hopeless({"toy": dataset}, {"toy": parts}, {"toy": ("y", "sex")}, metric, 2, comparisons)


def test_a_study_that_cannot_find_anything_is_told_so():
    assert said(data(gap=2.0)) == {}
    told = said(data(gap=0.0), comparisons=20)["toy"]
    assert "even a complete removal of the rmse-disparity" in told
    assert "fairbench plan" in told


def test_what_is_beyond_chance_may_still_be_missed():
    told = said(data(gap=0.5), comparisons=10**6)["toy"]
    assert told.startswith("on toy this study would usually miss even a complete removal")


def test_a_disparity_within_chance_is_told_before_training():
    told = said(data(gap=0.0))["toy"]
    assert "usually find nothing to repair" in told
    assert "only more rows" in told


def test_few_people_are_few_however_many_rows_they_have():
    assert said(data(gap=2.0, clusters=40)) == {}
    told = said(data(gap=2.0, clusters=4))["toy"]
    assert told.startswith("on toy no study could tell the rmse-disparity of a baseline from")
    assert "with 4 tested clusters no p-value can be below" in told


def test_of_parkinson_it_is_told_before_training():
    resolved = plan(Study(methods=["ridge"], datasets=["parkinson"]), load())
    metric = load().find("metric", "rmse-disparity")
    views = {"parkinson": ("motor_UPDRS", "sex")}
    told = hopeless(resolved.datasets, resolved.splits, views, metric, 2, 1)["parkinson"]
    assert "nothing to repair, whatever a method does" in told
    assert "the rmse-disparity is about 1.8" in told
    assert "dealt at random it is below 3.28 in 95 of 100" in told
    assert "only more clusters" in told
