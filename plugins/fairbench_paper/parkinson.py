"""Parkinson's telemonitoring: the severity of the disease from the voice."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fairbench.dataset import Card, DatasetSource, File, ProtectedColumn, Roles

if TYPE_CHECKING:
    import pandas as pd

    from fairbench.dataset import Locate

__all__ = ["CITATION", "Parkinson"]

CITATION = (
    "Tsanas, Little, McSharry, Ramig. Accurate telemonitoring of Parkinson's disease progression "
    "by noninvasive speech tests. IEEE Transactions on Biomedical Engineering 57(4), 2010. "
    "doi:10.24432/C5ZS3N"
)


class Parkinson(DatasetSource):
    """5,875 recordings of 42 patients, about 140 each over six months; UCI 189.

    Targets are the motor and the total score on the Unified Parkinson's Disease Rating Scale,
    in points. Features are the time since recruitment in days and 16 measures of the voice.
    """

    card = Card(
        title="Parkinson's Telemonitoring",
        source="UCI Machine Learning Repository, dataset 189",
        licence="CC BY 4.0",
        citation=CITATION,
        caveats=(
            "The recordings of one patient are nearly copies of each other, so a split by "
            "recording tests on patients seen in training; split by subject#.",
            "Clinicians scored each patient three times in six months; every other score is a "
            "straight line between those, not a measurement.",
            "42 patients, 14 of them women: differences between the sexes rest on few people.",
            "motor_UPDRS is a part of total_UPDRS, so neither is a feature for the other "
            "unless asked for.",
            "12 recordings have a negative test_time.",
        ),
    )
    roles = Roles(
        targets=("motor_UPDRS", "total_UPDRS"),
        protected={
            "sex": ProtectedColumn("binary", {0: "male", 1: "female"}),
            "age": ProtectedColumn("continuous"),
        },
        cluster="subject#",
    )
    files = (
        File(
            name="parkinsons_updrs.data",
            sha256="f2c7d5025dec4e92e7feae367a5f7ccf58789a10ac6b54bdf15976c599f9dd39",
            url="https://archive.ics.uci.edu/static/public/189/parkinsons+telemonitoring.zip",
            member="parkinsons_updrs.data",
            package="fairbench_paper:data/parkinsons_updrs.data.xz",
        ),
    )

    def table(self, locate: Locate) -> pd.DataFrame:
        """5,875 × 22, as published."""
        import pandas as pd

        return pd.read_csv(locate(self.files[0]))
