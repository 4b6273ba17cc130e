"""How each public dataset about risk becomes one table."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars as pl

HEART_SITES = ("cleveland", "hungarian", "switzerland", "va")
_HEART_COLUMNS = (
    "age", "sex", "cp", "trestbps", "chol", "fbs", "restecg", "thalach", "exang", "oldpeak", "slope", "ca",
    "thal", "num",
)  # fmt: skip


def load_breast_cancer(_: Path) -> pl.DataFrame:
    """569 breast masses, 30 measurements of the nuclei, and `diagnosis` (malignant or benign)."""
    import polars as pl
    from sklearn.datasets import load_breast_cancer as embedded

    data = embedded()
    names = [str(name).replace(" ", "_") for name in data.feature_names]
    diagnosis = [str(data.target_names[label]) for label in data.target]
    return pl.DataFrame(data.data, schema=names).with_columns(pl.Series("diagnosis", diagnosis))


def load_heart_disease(folder: Path) -> pl.DataFrame:
    """920 patients of four sites; `num` is 0 (no disease) to 4. Cholesterol or pressure of 0 is missing."""
    import polars as pl

    parts = [
        pl.read_csv(
            folder / f"processed.{site}.data",
            has_header=False,
            new_columns=list(_HEART_COLUMNS),
            schema_overrides=[pl.Float64] * len(_HEART_COLUMNS),
            null_values=["?"],
        ).with_columns(pl.lit(site).alias("site"))
        for site in HEART_SITES
    ]
    impossible = [pl.when(pl.col(name) != 0).then(pl.col(name)).alias(name) for name in ("chol", "trestbps")]
    whole = [pl.col(name).cast(pl.Int64) for name in _HEART_COLUMNS if name != "oldpeak"]
    return pl.concat(parts).with_columns(*impossible).with_columns(*whole)


def load_diabetes(folder: Path) -> pl.DataFrame:
    """101,766 hospital stays of 71,518 patients with diabetes; `readmitted` is <30 (days), >30 or NO."""
    import polars as pl

    with zipfile.ZipFile(folder / "dataset_diabetes.zip") as archive:
        content = archive.read("dataset_diabetes/diabetic_data.csv")
    return pl.read_csv(io.BytesIO(content), null_values=["?"], infer_schema_length=None)


def load_support2(folder: Path) -> pl.DataFrame:
    """9,105 seriously ill adults; `hospdead` is death in hospital, `death` at any time, at `d.time` days."""
    import polars as pl

    text = pl.read_csv(folder / "support2.csv", infer_schema=False)
    text = text.with_columns(pl.all().str.strip_chars().replace("", None))
    cast = text.select(pl.all().cast(pl.Float64, strict=False))
    numbers = [name for name in text.columns if cast[name].null_count() == text[name].null_count()]
    return text.with_columns(cast.select(numbers))


def load_warfarin(folder: Path) -> pl.DataFrame:
    """4,703 patients on a stable dose of warfarin (`dose_mg_week`), their ancestry, age and genotype known.

    CYP2C9 genotypes other than the six of *1, *2 and *3 are left out. VKORC1 -1639 that was not typed is
    read off its neighbours on the haplotype by the rules of the IWPC (N Engl J Med 2009;360:753, appendix):
    2255C>T, then 1173C>T, then 1542G>C, the first and the last not in Black patients.
    """
    import polars as pl

    raw = pl.read_csv(folder / "warfarin.csv", infer_schema=False, null_values=["NA", ""])
    inducers = ("Carbamazepine (Tegretol)", "Phenytoin (Dilantin)", "Rifampin or Rifampicin")
    target_inr = pl.col("Estimated Target INR Range Based on Indication").replace("3.0-4.0", "3-4")
    table = raw.filter(
        pl.col("Subject Reached Stable Dose of Warfarin") == "1", pl.col("Race") != "Unknown"
    ).select(
        *(pl.col(name).alias(alias) for name, alias in _WARFARIN_TEXTS.items()),
        pl.col("Age").str.slice(0, 1).cast(pl.Int64).alias("age_decade"),
        *(pl.col(name).cast(pl.Float64).alias(alias) for name, alias in _WARFARIN_NUMBERS.items()),
        *(pl.col(name).cast(pl.Int64, strict=False).alias(alias) for name, alias in _WARFARIN_FLAGS.items()),
        pl.any_horizontal(pl.col(name).fill_null("0") == "1" for name in inducers)
        .cast(pl.Int64)
        .alias("enzyme_inducer"),
        target_inr.alias("target_inr"),
        _vkorc1().alias("vkorc1_1639"),
        pl.col("Therapeutic Dose of Warfarin").cast(pl.Float64).alias("dose_mg_week"),
    )
    known = [pl.col(name).is_not_null() for name in ("dose_mg_week", "age_decade", "vkorc1_1639")]
    return table.filter(pl.col("cyp2c9").is_in(list(CYP2C9)), *known)


def _vkorc1() -> pl.Expr:
    """VKORC1 -1639 as typed, or as its neighbours tell; see `load_warfarin`."""
    import polars as pl

    def linked(position: str, low: str, high: str, mixed: str) -> pl.Expr:
        answers = {low: "G/G", high: "A/A", mixed: "A/G"}
        return pl.col(f"VKORC1 {position} consensus").replace_strict(
            answers, default=None, return_dtype=pl.String
        )

    not_black = pl.col("Race") != "Black or African American"
    return pl.coalesce(
        pl.col("VKORC1 -1639 consensus"),
        pl.when(not_black).then(linked("2255", "C/C", "T/T", "C/T")),
        linked("1173", "C/C", "T/T", "C/T"),
        pl.when(not_black).then(linked("1542", "G/G", "C/C", "C/G")),
    )


CYP2C9 = ("*1/*1", "*1/*2", "*1/*3", "*2/*2", "*2/*3", "*3/*3")
_WARFARIN_TEXTS = {
    "PharmGKB Subject ID": "subject_id",
    "Race": "race",
    "Gender": "sex",
    "CYP2C9 consensus": "cyp2c9",
}
_WARFARIN_NUMBERS = {"Height (cm)": "height_cm", "Weight (kg)": "weight_kg"}
_WARFARIN_FLAGS = {
    "Diabetes": "diabetes",
    "Congestive Heart Failure and/or Cardiomyopathy": "heart_failure",
    "Valve Replacement": "valve_replacement",
    "Aspirin": "aspirin",
    "Simvastatin (Zocor)": "simvastatin",
    "Amiodarone (Cordarone)": "amiodarone",
    "Current Smoker": "smoker",
}
