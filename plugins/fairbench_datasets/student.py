"""Student performance: final grades at two Portuguese secondary schools."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fairbench.dataset import Card, DatasetSource, File, ProtectedColumn, Roles

if TYPE_CHECKING:
    import pandas as pd

    from fairbench.dataset import Locate

__all__ = ["CITATION", "StudentMathematics", "StudentPortuguese"]

CITATION = (
    "Cortez, Silva. Using data mining to predict secondary school student performance. "
    "5th Future Business Technology Conference, 2008. doi:10.24432/C5TG7T"
)
URL = "https://archive.ics.uci.edu/static/public/320/student+performance.zip"
CAVEATS = (
    "The grades of the first two terms, G1 and G2, nearly give away the final grade G3; they are "
    "no features unless asked for.",
    "Rows come from two schools, too few to split by school into three parts, so rows stand alone "
    "by default and a test set says nothing about a third school. school can be chosen as "
    "protected attribute instead.",
    "Some final grades are 0: pupils who left, not pupils who know nothing.",
    "Most pupils of the mathematics table are in the Portuguese table as well.",
)
ROLES = Roles(
    targets=("G3",),
    protected={
        "sex": ProtectedColumn("binary", {"F": "female", "M": "male"}),
        "age": ProtectedColumn("continuous"),
        "school": ProtectedColumn(
            "binary", {"GP": "Gabriel Pereira", "MS": "Mousinho da Silveira"}
        ),
    },
    excluded=("G1", "G2"),
)


class Student(DatasetSource):
    """Grades from 0 to 20 with 29 answers on family, school and leisure; UCI 320."""

    roles = ROLES

    def table(self, locate: Locate) -> pd.DataFrame:
        """One row per pupil, 33 columns, as published."""
        import pandas as pd

        return pd.read_csv(locate(self.files[0]), sep=";", keep_default_na=False)


class StudentPortuguese(Student):
    """649 pupils' grades in Portuguese."""

    card = Card(
        title="Student performance, Portuguese",
        source="UCI Machine Learning Repository, dataset 320",
        licence="CC BY 4.0",
        citation=CITATION,
        caveats=CAVEATS,
    )
    files = (
        File(
            name="student-por.csv",
            sha256="a7594a11d7771c0efe1a740824e0e833da9c4cad07c39a9766a874575563fb3f",
            url=URL,
            member="student.zip!student-por.csv",
            package="fairbench_datasets:data/student-por.csv.xz",
        ),
    )


class StudentMathematics(Student):
    """395 pupils' grades in mathematics."""

    card = Card(
        title="Student performance, mathematics",
        source="UCI Machine Learning Repository, dataset 320",
        licence="CC BY 4.0",
        citation=CITATION,
        caveats=CAVEATS,
    )
    files = (
        File(
            name="student-mat.csv",
            sha256="e47f9ee225e1ee6e69b7564e6dac7123e80b8486677fe111f351964cef5dec80",
            url=URL,
            member="student.zip!student-mat.csv",
            package="fairbench_datasets:data/student-mat.csv.xz",
        ),
    )
