"""Facts of a dataset as built, for its card in reports."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fairbench.dataset import Dataset

__all__ = ["facts"]


def facts(dataset: Dataset, /) -> Mapping[str, object]:
    """Sizes and spreads a reader needs beside the card; plain values that JSON can hold.

    Returns
    -------
    mapping
        ``rows``; ``features`` (their number); ``targets``: per name ``mean`` and ``std`` (over n,
        in the target's unit); ``groups``: per protected attribute the rows of each label;
        ``clusters`` (their number, or None); ``cluster`` (its column); ``dropped`` rows by reason;
        ``imputed`` cells by column.
    """
    return {
        "rows": dataset.rows,
        "features": len(dataset.feature_names),
        "targets": {
            name: {"mean": float(values.mean()), "std": float(values.std())}
            for name, values in zip(dataset.target_names, dataset.targets.T, strict=True)
        },
        "groups": {
            attribute.name: {
                label: int(count)
                for label, count in zip(
                    attribute.labels,
                    np.bincount(attribute.groups, minlength=len(attribute.labels)),
                    strict=True,
                )
            }
            for attribute in dataset.protected
        },
        "clusters": None if dataset.clusters is None else len(np.unique(dataset.clusters)),
        "cluster": dataset.cluster_name,
        "dropped": dict(dataset.card.dropped),
        "imputed": dict(dataset.card.imputed),
    }
