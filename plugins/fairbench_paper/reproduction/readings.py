"""The designed set of readings: a centre per dataset, and one departure from it at a time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

__all__ = ["FULL", "QUICK", "READINGS", "Reading", "Scale"]

Role = Literal["main", "other", "honest", "noise"]


@dataclass(frozen=True, slots=True)
class Scale:
    """The amount of training.

    Parameters
    ----------
    seeds
        Splits, each with its own seed, of the main readings and of the honest protocol.
    others
        The same of readings that depart from the centre in one point.
    noisy, copies
        Splits, and trainings of the baseline on each, that show what noise alone gives.
    stride
        Every how many values of α are trained.
    brief
        Whether to leave out readings that a first look can do without.
    """

    seeds: int = 20
    others: int = 5
    noisy: int = 10
    copies: int = 50
    stride: int = 1
    brief: bool = False


FULL = Scale()
QUICK = Scale(seeds=3, others=2, noisy=2, copies=10, stride=5, brief=True)


@dataclass(frozen=True, slots=True)
class Reading:
    """One way to read the paper's text, or one check of what it reports.

    Parameters
    ----------
    name
        Also the name of its run folder.
    says
        How it departs from the centre, in words.
    protocol, method
        Options of the protocol ``paper`` and of the method ``static-alpha``.
    architecture
        Options of the network, for method and baseline alike.
    of
        The reading whose run it looks at in another way; it trains nothing of its own.
    mirrored
        Whether α is to be read as 5 − α of that run.
    lowest, highest
        The α values that belong to it.
    brief
        Whether a quick reproduction includes it.
    """

    name: str
    dataset: Literal["boston", "parkinson"]
    role: Role
    says: str
    protocol: Mapping[str, Any] = field(default_factory=dict)
    method: Mapping[str, Any] = field(default_factory=dict)
    architecture: Mapping[str, Any] = field(default_factory=dict)
    of: str = ""
    mirrored: bool = False
    lowest: float = 0.1
    highest: float = 5.0
    brief: bool = False


_TABLE = {"reading": "table", "z_scaled": False}
_REGULARISED = {"dropout": 0.2, "batch_norm": True}

_PARKINSON = (
    Reading(
        "parkinson",
        "parkinson",
        "main",
        "centre: subject# and age are inputs, total_UPDRS and sex are not; target in its own "
        "units; α·L_y + (5 − α)·L_z; α from 0.1 to 5.0",
        brief=True,
    ),
    Reading(
        "parkinson-table",
        "parkinson",
        "main",
        "α the other way: (5 − α)·L_y + α·L_z (the centre's models under other names)",
        of="parkinson",
        mirrored=True,
        brief=True,
    ),
    Reading(
        "parkinson-grid",
        "parkinson",
        "main",
        "α from 0.0 to 4.9",
        of="parkinson",
        lowest=0.0,
        highest=4.9,
        brief=True,
    ),
    Reading(
        "parkinson-no-subject",
        "parkinson",
        "other",
        "subject# is no input",
        {"subject": False},
        brief=True,
    ),
    Reading("parkinson-no-age", "parkinson", "other", "age is no input", {"age": False}),
    Reading(
        "parkinson-total",
        "parkinson",
        "other",
        "total_UPDRS is an input, subject# is not",
        {"subject": False, "total_updrs": True},
    ),
    Reading("parkinson-z-input", "parkinson", "other", "sex is an input too", {"z_input": True}),
    Reading(
        "parkinson-y-scaled",
        "parkinson",
        "other",
        "the target is standardised",
        {"y_scaled": True},
    ),
    Reading(
        "parkinson-regularised",
        "parkinson",
        "other",
        "dropout 0.2 and batch normalisation",
        architecture=_REGULARISED,
    ),
    Reading(
        "parkinson-honest",
        "parkinson",
        "honest",
        "patients not shared, selection on validation; age is an input, subject# cannot be",
        brief=True,
    ),
    Reading(
        "parkinson-noise",
        "parkinson",
        "noise",
        "the centre's baseline, again and again with other seeds",
        brief=True,
    ),
)

_BOSTON = (
    Reading(
        "boston",
        "boston",
        "main",
        "centre: (5 − α)·L_y + α·L_z; neither target nor B scaled, B no input; warm-started "
        "blocks of 5; at most 150 epochs, stopping early on a fifth of the training rows; α from "
        "0.1 to 5.0",
        method=_TABLE,
        brief=True,
    ),
    Reading(
        "boston-equation",
        "boston",
        "main",
        "α as in the equation: α·L_y + (5 − α)·L_z",
        method={"z_scaled": False},
        brief=True,
    ),
    Reading(
        "boston-z-scaled",
        "boston",
        "other",
        "B is standardised",
        method={"reading": "table"},
    ),
    Reading(
        "boston-scaled",
        "boston",
        "main",
        "target and B are standardised",
        {"y_scaled": True},
        {"reading": "table"},
    ),
    Reading("boston-z-input", "boston", "other", "B is an input too", {"z_input": True}, _TABLE),
    Reading(
        "boston-scratch", "boston", "other", "every α is trained from scratch", {"chain": 1}, _TABLE
    ),
    Reading("boston-250", "boston", "other", "at most 250 epochs", {"epochs": 250}, _TABLE),
    Reading(
        "boston-stop-on-test",
        "boston",
        "other",
        "stops early on the test rows themselves",
        {"early_stopping": "test"},
        _TABLE,
    ),
    Reading(
        "boston-no-stopping",
        "boston",
        "other",
        "no early stopping: 150 epochs for every α",
        {"early_stopping": "off"},
        _TABLE,
    ),
    Reading(
        "boston-grid",
        "boston",
        "other",
        "α from 0.0 to 4.9, which also moves the blocks",
        method={**_TABLE, "grid": "0.0-4.9"},
        lowest=0.0,
        highest=4.9,
    ),
    Reading(
        "boston-regularised",
        "boston",
        "other",
        "dropout 0.2 and batch normalisation",
        method=_TABLE,
        architecture=_REGULARISED,
    ),
    Reading(
        "boston-honest",
        "boston",
        "honest",
        "groups stratified, selection on validation, every α from scratch",
        method=_TABLE,
        brief=True,
    ),
    Reading(
        "boston-noise",
        "boston",
        "noise",
        "the centre's baseline, again and again with other seeds",
        brief=True,
    ),
)

READINGS: Mapping[str, tuple[Reading, ...]] = {"boston": _BOSTON, "parkinson": _PARKINSON}
"""By dataset, the centre first."""
