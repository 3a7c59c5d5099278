"""ACS income: yearly incomes of people in the United States, from the Census Bureau's own files."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from annotated_types import Ge, Le

from fairbench.dataset import Card, DatasetSource, File, ProtectedColumn, Roles
from fairbench.errors import DataError, StudyError, first_line, near
from fairbench_datasets._census import FIPS, OCCUPATIONS, PLACES, group_of

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

    from fairbench.dataset import Locate

__all__ = ["CITATION", "ACSIncome"]

CITATION = (
    "Ding, Hardt, Miller, Schmidt. Retiring Adult: new datasets for fair machine learning. "
    "NeurIPS 2021; from the American Community Survey's public use microdata, U.S. Census Bureau"
)
BASE = "https://www2.census.gov/programs-surveys/acs/data/pums"
NUMBERS = ("PINCP", "AGEP", "SCHL", "WKHP", "SEX", "RAC1P", "ST", "PWGTP")
CODES = ("COW", "MAR", "OCCP", "POBP")
RELATION = ("RELP", "RELSHIPP")
"""To the first person of the household: named and coded anew from 2019 on."""
HOUSEHOLD = ("SERIALNO",)
BLOCK = 200_000
"""Rows read at a time."""
RACES: dict[object, str] = {
    1: "White",
    2: "Black or African American",
    3: "American Indian",
    4: "Alaska Native",
    5: "American Indian or Alaska Native, tribe not specified",
    6: "Asian",
    7: "Native Hawaiian or Pacific Islander",
    8: "Some other race",
    9: "Two or more races",
}


@dataclass(frozen=True)
class ACSIncome(DatasetSource):
    """People over 16 who worked and earned, one row each; about 196,000 in California in 2018.

    The files are the Census Bureau's person records of one year's survey. They are too large to
    ship, and their publisher states no hash, so they are never downloaded: put them into a folder
    of the data search path as ``2018/1-Year/psam_p06.csv``, which is also where the package
    folktables keeps them.

    Parameters
    ----------
    states
        Postal codes, or ``all`` for the fifty states, the District of Columbia and
        Puerto Rico.
    year
        Of the survey; the one-year files from 2014 on are understood.
    codes
        Whether work, family, occupation and place of birth stay the numbers they are published
        as, which is how ``ACSIncome`` of folktables reads them. Without, they are categories:
        occupations by major group, places of birth by part of the world.

    Notes
    -----
    Rows are those of ``ACSIncome`` (Ding et al. 2021, appendix B.1): age above 16, income of more
    than 100 dollars, at least one hour of work a week, a positive weight. The target is the income
    itself, in dollars, where Ding et al. ask whether it is above 50,000.
    """

    states: tuple[str, ...] = ("CA",)
    year: Annotated[int, Ge(2014), Le(2100)] = 2018
    codes: bool = False

    card = Card(
        title="ACS income",
        source="U.S. Census Bureau, American Community Survey, public use microdata",
        licence="CC0: a work of the United States government",
        citation=CITATION,
        caveats=(
            "Incomes are self-reported, rounded, and top-coded by state: the highest are replaced "
            "by their mean. They are skewed; errors in dollars are decided by the rich.",
            "The survey's weights (PWGTP) are not used: shares of groups are those of the sample.",
            "People of one household share a split (SERIALNO); with several states, "
            "--cluster ST keeps whole states together instead.",
            "Race and sex are as one person of the household answered for all.",
        ),
    )
    roles = Roles(
        targets=("PINCP",),
        protected={
            "SEX": ProtectedColumn("binary", {1: "male", 2: "female"}),
            "RAC1P": ProtectedColumn("categorical", RACES),
            "AGEP": ProtectedColumn("continuous"),
        },
        cluster="SERIALNO",
        excluded=("ST", "PWGTP"),
    )

    @property
    def files(self) -> tuple[File, ...]:
        """One per state."""
        return tuple(_file(state, self.year) for state in self._states())

    def table(self, locate: Locate) -> pd.DataFrame:
        """One row per person kept, 13 columns: those of ACSIncome, household, state and weight."""
        import pandas as pd

        parts = [_read(locate(file), self.codes) for file in self.files]
        return pd.concat(parts, ignore_index=True)

    def _states(self) -> tuple[str, ...]:
        chosen = tuple(dict.fromkeys(state.strip().upper() for state in self.states))
        if chosen == ("ALL",):
            return tuple(FIPS)
        for state in chosen:
            if state not in FIPS:
                raise StudyError(
                    f"no state {state!r}", where="dataset acs-income", hint=near(state, FIPS)
                )
        return chosen


def _file(state: str, year: int) -> File:
    old = year < 2017
    member = f"ss{year % 100}p{state.lower()}.csv" if old else f"psam_p{FIPS[state]}.csv"
    return File(
        name=f"{year}/1-Year/{member}",
        sha256="",
        url=f"{BASE}/{year}/1-Year/csv_p{state.lower()}.zip",
        member=member,
    )


def _read(path: Path, codes: bool) -> pd.DataFrame:
    """The people of one file who are kept, block by block: it has nearly 300 columns."""
    import pandas as pd

    wanted = {*NUMBERS, *CODES, *HOUSEHOLD, *RELATION}
    types = dict.fromkeys((*NUMBERS, *CODES, *RELATION), "float64") | dict.fromkeys(HOUSEHOLD, str)
    try:
        with pd.read_csv(
            path, usecols=lambda name: name in wanted, dtype=types, chunksize=BLOCK
        ) as blocks:
            people = pd.concat([_kept(block) for block in blocks], ignore_index=True)
    except (ValueError, KeyError) as error:
        raise DataError(
            f"not a person file of the American Community Survey: {first_line(error)}",
            where=str(path),
            hint="unpack it from the Census Bureau's zip archive once more",
        ) from error
    return people if codes else _grouped(people)


def _kept(people: pd.DataFrame) -> pd.DataFrame:
    relation = next((name for name in RELATION if name in people), RELATION[0])
    people = people[[*HOUSEHOLD, *NUMBERS, *CODES, relation]].rename(columns={relation: "RELP"})
    working = (people["AGEP"] > 16) & (people["WKHP"] > 0)
    return people[working & (people["PINCP"] > 100) & (people["PWGTP"] >= 1)].dropna()


def _grouped(people: pd.DataFrame) -> pd.DataFrame:
    """`people` with codes that are no quantities as texts."""
    return people.assign(
        COW=_texts(people["COW"]),
        MAR=_texts(people["MAR"]),
        RELP=_texts(people["RELP"]),
        OCCP=group_of(people["OCCP"], OCCUPATIONS),
        POBP=group_of(people["POBP"], PLACES),
    )


def _texts(codes: pd.Series) -> pd.Series:
    return codes.astype("int64").astype(str).astype("category")
