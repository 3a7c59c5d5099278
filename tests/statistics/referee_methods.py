"""Methods whose true effect is known, trained for real: what the referee judges verdicts by."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from fairbench.method import Method, Tradeoff, Trained, Work
from fairbench.plugins import MethodDescription, hookimpl
from fairbench_baselines.single_task import SingleTask


@dataclass(frozen=True)
class InertRate(SingleTask):
    """The baseline; its trade-off multiplies the learning rate, and says nothing of groups."""

    @property
    def tradeoff(self):
        return Tradeoff("rate", (0.7, 1.0, 1.43), low=0.0)

    def rate_factor(self, value):
        return 1.0 if value is None else value


@dataclass(frozen=True)
class InertDropout(SingleTask):
    """The baseline; every trade-off value draws its dropout anew, and that is all it does."""

    @property
    def tradeoff(self):
        return Tradeoff("nothing", (1.0, 2.0))


@dataclass(frozen=True)
class _Altered(SingleTask):
    """The baseline with dropout of its own, and its predictions altered by a known amount.

    Parameters
    ----------
    share
        0 is a copy of the baseline.
    """

    share: float = 0.0

    def train(self, work: Work, /) -> Trained:
        trained = super().train(work)
        fold = work.fold
        rng = np.random.default_rng([work.entropy, work.trials[0].split])
        altered = []
        for one in trained.predictions:
            parts = {
                part: self.alter(
                    getattr(one, part),
                    fold.dataset.targets[fold.split[part]],
                    fold.dataset.protected[0].groups[fold.split[part]],
                    rng,
                )
                for part in ("validation", "test")
            }
            altered.append(replace(one, **parts))
        return replace(trained, predictions=altered)

    def alter(self, prediction, target, groups, rng):
        return prediction


@dataclass(frozen=True)
class Copy(_Altered):
    """Nothing is altered."""


@dataclass(frozen=True)
class Repaired(_Altered):
    """Residuals of the worse-off group shrink by `share`: its RMSE does so too, exactly."""

    def alter(self, prediction, target, groups, rng):
        return np.where(
            groups[:, None] == 1, prediction + self.share * (target - prediction), prediction
        )


@dataclass(frozen=True)
class Levelled(_Altered):
    """Noise for the better-off group alone, of `share` standard deviations of its residuals."""

    def alter(self, prediction, target, groups, rng):
        better = groups == 0
        spread = (prediction - target)[better].std()
        noise = rng.normal(scale=self.share * spread, size=prediction.shape)
        return np.where(better[:, None], prediction + noise, prediction)


@dataclass(frozen=True)
class Inflated(_Altered):
    """All residuals grow by `share`, those of the worse-off group shrink to keep it fairer."""

    def alter(self, prediction, target, groups, rng):
        factor = np.where(groups[:, None] == 1, 1.0, 1.0 + 3 * self.share)
        return target + factor * (prediction - target)


class Methods:
    """The plugin."""

    @hookimpl
    def fairbench_methods(self):
        for kind in (InertRate, InertDropout, Copy, Repaired, Levelled, Inflated):
            assert issubclass(kind, Method)
            name = "".join(f"-{c.lower()}" if c.isupper() else c for c in kind.__name__).strip("-")
            yield MethodDescription(
                name=name, summary=name, target=f"referee_methods:{kind.__name__}"
            )
