"""Methods around another method."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from fairbench.errors import StudyError
from fairbench.facts import Facts
from fairbench.method import Method, Trial, Use

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from fairbench.fold import Fold
    from fairbench.training import Training

__all__ = ["Wrapper"]


@dataclass(frozen=True)
class Wrapper(Method):
    """A method that trains another one, its base.

    Parameters
    ----------
    base
        Name of the method that is wrapped.
    base_options
        Options of that method.
    base_value
        Value of its own trade-off; by default that of its grid which favours fairness least.
    """

    base: str = "ridge"
    base_options: dict[str, Any] = field(default_factory=dict)
    base_value: float | None = None

    @property
    @abstractmethod
    def own_facts(self) -> Facts:
        """What the wrapping sees, beside what its base does."""

    @property
    def facts(self) -> Facts:
        return self.own_facts.within(self.built().facts)

    def uses(self) -> Sequence[Use]:
        return (Use("method", self.base, self.base_options),)

    def built(self) -> Method:
        """The base, with its options.

        Raises
        ------
        StudyError
            Where `base` names no method, or one without a trade-off while `base_value` is given.
        """
        from fairbench.plugins import load

        found = load().build(self.uses()[0])
        if not isinstance(found, Method):
            raise StudyError(f"{self.base!r} is no method", where="option 'base'")
        if self.base_value is not None and found.tradeoff is None:
            raise StudyError(
                f"method {self.base!r} has no trade-off",
                where="option 'base_value'",
                hint="leave it out",
            )
        return found

    def trains_networks(self, base: Method, /) -> bool:
        """Whether the base, as `built` gives it, is a network or made of one."""
        from fairbench.plugins import load, parts_of, trains_networks

        registry = load()
        part = registry.part("method", self.base, self.base_options)
        return trains_networks(parts_of(registry, part.component, part.options, base))

    def check(self, fold: Fold, training: Training, /) -> None:
        self.built().check(fold, training)

    def base_trials(self, base: Method, trials: Iterable[Trial], /) -> list[Trial]:
        """The trials of the base that `trials` are built on, one for each of their seeds."""
        value, tradeoff = self.base_value, base.tradeoff
        if value is None and tradeoff is not None:
            value = max(tradeoff.grid) if tradeoff.fair_end == "low" else min(tradeoff.grid)
        first = {trial.seed: trial for trial in trials}
        return [
            Trial(trial.dataset, self.base, value, seed, trial.split)
            for seed, trial in first.items()
        ]
