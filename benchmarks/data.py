"""Prepares the real public tables and images of the benchmarks; none of them is part of this project."""

from __future__ import annotations

import io
import os
import zipfile
from pathlib import Path

import numpy as np
import polars as pl

ROOT = Path(__file__).resolve().parents[1]
SHARED = Path(os.environ.get("IATROS_SHARED_DATA", ROOT.parent / "shared" / "data"))

HEART_COLUMNS = (
    "age", "sex", "cp", "trestbps", "chol", "fbs", "restecg", "thalach", "exang", "oldpeak", "slope", "ca", "thal",
    "num",
)  # fmt: skip
HEART_SITES = {"cleveland": "cleveland", "hungarian": "hungarian", "switzerland": "switzerland", "va": "va"}
HEART_DICTIONARY = """\
missing_codes: ["?"]
columns:
  age: {kind: numeric, unit: years}
  sex: {kind: categorical, description: "1 male, 0 female"}
  cp: {kind: categorical, description: chest pain type}
  trestbps: {kind: numeric, unit: mm Hg, missing_codes: ["0"], description: resting blood pressure}
  chol: {kind: numeric, unit: mg/dl, missing_codes: ["0"], description: serum cholesterol; 0 stands for not measured}
  fbs: {kind: categorical, description: fasting blood sugar above 120 mg/dl}
  restecg: {kind: categorical}
  thalach: {kind: numeric, unit: beats/min}
  exang: {kind: categorical}
  oldpeak: {kind: numeric, unit: mm}
  slope: {kind: categorical}
  ca: {kind: numeric, description: major vessels coloured by fluoroscopy}
  thal: {kind: categorical}
"""
NO_READMISSION = "discharge_disposition_id!=11,13,14,19,20,21"
"""Discharge to death or hospice: those patients cannot be readmitted."""

STABLE_DOSE = "Therapeutic Dose of Warfarin"
WARFARIN_FEATURES = {
    "Gender": "sex",
    "Race": "race",
    "Age": "age_decade",
    "Height (cm)": "height_cm",
    "Weight (kg)": "weight_kg",
    "Diabetes": "diabetes",
    "Congestive Heart Failure and/or Cardiomyopathy": "heart_failure",
    "Valve Replacement": "valve_replacement",
    "Aspirin": "aspirin",
    "Simvastatin (Zocor)": "simvastatin",
    "Amiodarone (Cordarone)": "amiodarone",
    "Carbamazepine (Tegretol)": "carbamazepine",
    "Phenytoin (Dilantin)": "phenytoin",
    "Rifampin or Rifampicin": "rifampicin",
    "Current Smoker": "smoker",
    "CYP2C9 consensus": "cyp2c9",
}
LINKED = {"C/C": "G/G", "C/T": "A/G", "T/T": "A/A"}
"""VKORC1 1173 tells -1639, being inherited with it; the consortium fills the one from the other (NEJM 2009;360:753)."""


def linked(path: Path, folder: Path) -> str:
    """The name by which commands in `folder` find the file `path`, so that they read the same anywhere."""
    link = folder / path.name
    if not link.exists():
        link.symlink_to(path)
    return link.name


def moses_tests(folder: Path) -> tuple[str, str, str, str]:
    """How commands in `folder` name both test sets of MOSES as references."""
    test, scaffolds = (linked(SHARED / "moses" / f"test{more}.csv.gz", folder) for more in ("", "_scaffolds"))
    return "--reference", test, "--scaffolds", scaffolds


def heart(folder: Path) -> tuple[Path, Path]:
    """UCI heart disease, four hospitals in one CSV, and its data dictionary."""
    parts = []
    for name, site in HEART_SITES.items():
        content = (SHARED / "uci_heart_disease" / f"processed.{name}.data").read_bytes()
        part = pl.read_csv(
            io.BytesIO(content), has_header=False, new_columns=list(HEART_COLUMNS), infer_schema=False
        )
        parts.append(part.with_columns(pl.lit(site).alias("site")))
    table = pl.concat(parts)
    codes = [name for name in HEART_COLUMNS if name not in ("oldpeak",)]
    # The hospitals write the same code as 1, 1.0 and 1.
    table = table.with_columns(
        pl.when(pl.col(name) == "?")
        .then(pl.lit("?"))
        .otherwise(pl.col(name).cast(pl.Float64, strict=False).cast(pl.Int64).cast(pl.String))
        .alias(name)
        for name in codes
    )
    path, dictionary = folder / "heart.csv", folder / "heart.yaml"
    table.write_csv(path)
    dictionary.write_text(HEART_DICTIONARY)
    return path, dictionary


def diabetes(folder: Path) -> Path:
    """Diabetes-130: 101,766 hospital stays."""
    path = folder / "diabetes.csv"
    with zipfile.ZipFile(SHARED / "diabetes130" / "dataset_diabetes.zip") as archive:
        path.write_bytes(archive.read("dataset_diabetes/diabetic_data.csv"))
    return path


def warfarin(folder: Path) -> Path:
    """IWPC: patients with a stable weekly dose, both genotypes and the age known."""
    content = (SHARED / "warfarin_iwpc" / "warfarin.csv").read_bytes()
    table = pl.read_csv(io.BytesIO(content), infer_schema=False, null_values=["NA", ""])
    table = table.with_columns(
        pl.coalesce(
            pl.col("VKORC1 -1639 consensus"),
            pl.col("VKORC1 1173 consensus").replace_strict(LINKED, default=None),
        ).alias("vkorc1_1639"),
        # "60 - 69" is decade 6, as in the consortium's own model.
        pl.col("Age").str.slice(0, 1).cast(pl.Int64, strict=False),
    )
    stable = table.filter(
        (pl.col("Subject Reached Stable Dose of Warfarin") == "1")
        & pl.all_horizontal(pl.col(STABLE_DOSE, "CYP2C9 consensus", "vkorc1_1639", "Age").is_not_null())
    )
    chosen = stable.select(
        pl.col(STABLE_DOSE).cast(pl.Float64).alias("dose_mg_week"),
        *[pl.col(old).alias(new) for old, new in WARFARIN_FEATURES.items()],
        "vkorc1_1639",
    )
    path = folder / "warfarin.csv"
    chosen.write_csv(path)
    return path


def support2() -> Path:
    """SUPPORT2: 9,105 seriously ill adults."""
    return SHARED / "support2" / "support2.csv"


def pneumonia() -> Path:
    """PneumoniaMNIST at 28 px: chest radiographs of children, with the sides of MedMNIST."""
    return SHARED / "pneumoniamnist" / "pneumoniamnist_28_reconstructed.npz"


def busi(folder: Path, *, against: str) -> Path:
    """Breast ultrasound at 128 px: malignant against the rest, or against `benign` alone."""
    with np.load(SHARED / "busi" / "busi_gray128.npz", allow_pickle=False) as archive:
        images, codes = archive["images"], archive["labels"]
    labels = np.array(["normal", "benign", "malignant"])[codes]
    kept = labels != "normal" if against == "benign" else np.ones(len(labels), dtype=bool)
    path = folder / f"busi-{against}.npz"
    np.savez(path, images=images[kept], labels=labels[kept])
    return path


def hippocampus() -> Path:
    """60 T1 crops of the Medical Segmentation Decathlon with the two parts of the hippocampus."""
    return SHARED / "msd_hippocampus"


def dicom() -> Path:
    """133 DICOM objects, broken ones among them."""
    return SHARED / "dicom"
