"""Communities and crime: violent crimes per head in communities of the United States."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fairbench.dataset import Card, DatasetSource, File, ProtectedColumn, Roles

if TYPE_CHECKING:
    import pandas as pd

    from fairbench.dataset import Locate

__all__ = ["CITATION", "WARNING", "CommunitiesCrime"]

CITATION = (
    "Redmond, Baveja. A data-driven software tool for enabling cooperative information sharing "
    "among police departments. European Journal of Operational Research 141(3), 2002. "
    "doi:10.24432/C53W3X"
)
WARNING = (
    "The target counts crimes that police recorded, which depends on where they patrol and whom "
    "they report: fairness towards it is no fairness towards people."
)
COLUMNS = """
state county community communityname fold population householdsize racepctblack racePctWhite
racePctAsian racePctHisp agePct12t21 agePct12t29 agePct16t24 agePct65up numbUrban pctUrban
medIncome pctWWage pctWFarmSelf pctWInvInc pctWSocSec pctWPubAsst pctWRetire medFamInc perCapInc
whitePerCap blackPerCap indianPerCap AsianPerCap OtherPerCap HispPerCap NumUnderPov PctPopUnderPov
PctLess9thGrade PctNotHSGrad PctBSorMore PctUnemployed PctEmploy PctEmplManu PctEmplProfServ
PctOccupManu PctOccupMgmtProf MalePctDivorce MalePctNevMarr FemalePctDiv TotalPctDiv PersPerFam
PctFam2Par PctKids2Par PctYoungKids2Par PctTeen2Par PctWorkMomYoungKids PctWorkMom NumIlleg
PctIlleg NumImmig PctImmigRecent PctImmigRec5 PctImmigRec8 PctImmigRec10 PctRecentImmig
PctRecImmig5 PctRecImmig8 PctRecImmig10 PctSpeakEnglOnly PctNotSpeakEnglWell PctLargHouseFam
PctLargHouseOccup PersPerOccupHous PersPerOwnOccHous PersPerRentOccHous PctPersOwnOccup
PctPersDenseHous PctHousLess3BR MedNumBR HousVacant PctHousOccup PctHousOwnOcc PctVacantBoarded
PctVacMore6Mos MedYrHousBuilt PctHousNoPhone PctWOFullPlumb OwnOccLowQuart OwnOccMedVal
OwnOccHiQuart RentLowQ RentMedian RentHighQ MedRent MedRentPctHousInc MedOwnCostPctInc
MedOwnCostPctIncNoMtg NumInShelters NumStreet PctForeignBorn PctBornSameState PctSameHouse85
PctSameCity85 PctSameState85 LemasSwornFT LemasSwFTPerPop LemasSwFTFieldOps LemasSwFTFieldPerPop
LemasTotalReq LemasTotReqPerPop PolicReqPerOffic PolicPerPop RacialMatchCommPol PctPolicWhite
PctPolicBlack PctPolicHisp PctPolicAsian PctPolicMinor OfficAssgnDrugUnits NumKindsDrugsSeiz
PolicAveOTWorked LandArea PopDens PctUsePubTrans PolicCars PolicOperBudg LemasPctPolicOnPatr
LemasGangUnitDeploy LemasPctOfficDrugUn PolicBudgPerPop ViolentCrimesPerPop
""".split()  # noqa: SIM905  # readable against the documentation
"""The file has no header; these are the names its documentation gives, in order."""
IDENTIFIERS = ("county", "community", "communityname", "fold")
POLICE = """
LemasSwornFT LemasSwFTPerPop LemasSwFTFieldOps LemasSwFTFieldPerPop LemasTotalReq
LemasTotReqPerPop PolicReqPerOffic PolicPerPop RacialMatchCommPol PctPolicWhite PctPolicBlack
PctPolicHisp PctPolicAsian PctPolicMinor OfficAssgnDrugUnits NumKindsDrugsSeiz PolicAveOTWorked
PolicCars PolicOperBudg LemasPctPolicOnPatr LemasGangUnitDeploy PolicBudgPerPop
""".split()  # noqa: SIM905  # readable against the documentation
"""From the survey of police departments, which 1,675 of the 1,994 communities are not in."""


class CommunitiesCrime(DatasetSource):
    """1,994 communities in 46 states, census of 1990 and crimes of 1995; UCI 183.

    Every column but the state is scaled to 0 … 1 by its publisher, the target
    ViolentCrimesPerPop included.
    """

    card = Card(
        title="Communities and Crime",
        source="UCI Machine Learning Repository, dataset 183",
        licence="CC BY 4.0",
        citation=CITATION,
        warning=WARNING,
        caveats=(
            "22 columns on the police are missing in 1,675 of 1,994 communities and are no "
            "features unless asked for; adding one drops those rows.",
            "Names, codes and the fold of a community are no features.",
            "Communities of one state resemble each other; splits keep a state whole.",
            "Other columns on race stay features: racePctWhite alone has correlation −0.79 with "
            "racepctblack.",
            "The publisher set values beyond 3 standard deviations from the mean to 0 or 1.",
            "Rows are communities, not people; states that report rapes otherwise are left out.",
        ),
    )
    roles = Roles(
        targets=("ViolentCrimesPerPop",),
        protected={"racepctblack": ProtectedColumn("continuous")},
        cluster="state",
        excluded=(*IDENTIFIERS, *POLICE),
    )
    files = (
        File(
            name="communities.data",
            sha256="d90d85bd66bad9a00fa0ed6c15ac017b5966d528e55ba2940ad028d071353f95",
            url="https://archive.ics.uci.edu/static/public/183/communities+and+crime.zip",
            member="communities.data",
            package="fairbench_datasets:data/communities.data.xz",
        ),
    )

    def table(self, locate: Locate) -> pd.DataFrame:
        """1,994 × 128, missing cells (``?`` in the file) as NaN."""
        import pandas as pd

        return pd.read_csv(
            locate(self.files[0]),
            header=None,
            names=COLUMNS,
            na_values="?",
        )
