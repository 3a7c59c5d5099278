"""Boston house prices: shipped because the paper uses it, and never without its warning."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fairbench.dataset import Card, DatasetSource, File, ProtectedColumn, Roles

if TYPE_CHECKING:
    import pandas as pd

    from fairbench.dataset import Locate

__all__ = ["CITATION", "WARNING", "Boston"]

CITATION = (
    "Harrison, Rubinfeld. Hedonic housing prices and the demand for clean air. Journal of "
    "Environmental Economics and Management 5(1), 1978; after StatLib"
)
WARNING = (
    "This dataset is widely withdrawn. Its authors built the variable B on the premise that "
    "racial segregation raises house prices, and encoded the share of Black residents so that it "
    "cannot be recovered uniquely. A number computed on it says nothing about fairness towards "
    "people; it is here only so that published results can be checked. Use another dataset for "
    "any other purpose."
)


class Boston(DatasetSource):
    """506 census tracts around Boston in 1970, 14 columns; ships inside the package.

    The target MEDV is the median value of owner-occupied homes in 1,000 dollars.
    """

    card = Card(
        title="Boston house prices",
        source="StatLib, Carnegie Mellon University",
        licence="public, no licence stated",
        citation=CITATION,
        warning=WARNING,
        caveats=(
            "B is 1000(Bk − 0.63)² with Bk the share of Black residents: at most 396.9, no "
            "proportion, and the same for two different shares where it is below 136.9.",
            "B rises with MEDV here (correlation +0.33), and half of the tracts lie within 6 of "
            "its maximum, so its median splits tracts that hardly differ.",
            "MEDV is censored at 50: 16 tracts have that value or more.",
            "Rows are tracts, not people.",
        ),
    )
    roles = Roles(targets=("MEDV",), protected={"B": ProtectedColumn("continuous")})

    files = (
        File(
            name="boston.csv",
            sha256="fd6aae7c42ed5998b4157a6149aa35d47c60fc0664c5bcfea5f3df4f423376cc",
            package="fairbench_paper:data/boston.csv",
        ),
    )

    def table(self, locate: Locate) -> pd.DataFrame:
        """506 × 14, as published."""
        import pandas as pd

        return pd.read_csv(locate(self.files[0]))
