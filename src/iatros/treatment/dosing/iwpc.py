"""The public data of the International Warfarin Pharmacogenetics Consortium, made into one row for each patient.

N Engl J Med 2009;360:753-764; distributed by PharmGKB (ClinPGx) under CC BY-SA 4.0.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from iatros.core.errors import SchemaError, TableError

if TYPE_CHECKING:
    import polars as pl

DOSE = "dose_mg_week"
CYP2C9 = ("*1/*1", "*1/*2", "*1/*3", "*2/*2", "*2/*3", "*3/*3")
UNKNOWN_ANCESTRY = "Unknown"
BLACK = "Black or African American"
INDICATIONS = {
    "1": "deep_vein_thrombosis", "2": "pulmonary_embolism", "3": "atrial_fibrillation", "4": "heart_valve",
    "5": "cardiomyopathy", "6": "stroke", "7": "after_orthopaedics", "8": "other_indication",
}  # fmt: skip
"""The numbers by which the consortium names indications; several may hold."""
_TEXTS = {
    "PharmGKB Subject ID": "subject_id", "Race": "race", "Ethnicity": "ethnicity", "Gender": "sex",
    "CYP2C9 consensus": "cyp2c9",
}  # fmt: skip
_NUMBERS = {"Height (cm)": "height_cm", "Weight (kg)": "weight_kg"}
_FLAGS = {
    "Diabetes": "diabetes",
    "Congestive Heart Failure and/or Cardiomyopathy": "heart_failure",
    "Valve Replacement": "valve_replacement",
    "Aspirin": "aspirin",
    "Acetaminophen or Paracetamol (Tylenol)": "paracetamol",
    "Simvastatin (Zocor)": "simvastatin",
    "Atorvastatin (Lipitor)": "atorvastatin",
    "Fluvastatin (Lescol)": "fluvastatin",
    "Lovastatin (Mevacor)": "lovastatin",
    "Pravastatin (Pravachol)": "pravastatin",
    "Rosuvastatin (Crestor)": "rosuvastatin",
    "Amiodarone (Cordarone)": "amiodarone",
    "Carbamazepine (Tegretol)": "carbamazepine",
    "Phenytoin (Dilantin)": "phenytoin",
    "Rifampin or Rifampicin": "rifampicin",
    "Sulfonamide Antibiotics": "sulfonamide",
    "Macrolide Antibiotics": "macrolide",
    "Anti-fungal Azoles": "azole",
    "Current Smoker": "smoker",
}
_STABLE, _GIVEN = "Subject Reached Stable Dose of Warfarin", "Therapeutic Dose of Warfarin"
_INDICATION, _TARGET = "Indication for Warfarin Treatment", "Estimated Target INR Range Based on Indication"
_LINKED = {
    "2255": {"C/C": "G/G", "C/T": "A/G", "T/T": "A/A"},
    "1173": {"C/C": "G/G", "C/T": "A/G", "T/T": "A/A"},
    "1542": {"G/G": "G/G", "C/G": "A/G", "C/C": "A/A"},
}
"""What a neighbour on the haplotype says of VKORC1 -1639 (appendix of the paper)."""


class Patients(NamedTuple):
    """The patients, how many remained after each step, and how many genotypes of VKORC1 came from where."""

    table: pl.DataFrame
    flow: tuple[tuple[str, int], ...]
    vkorc1: dict[str, int]


def read_iwpc(path: str | Path) -> Patients:
    """Patients on a stable dose (`dose_mg_week`), ancestry, age, CYP2C9 and VKORC1 known, from the published file.

    The INR that was measured on the dose is left out: it is not known when a dose is asked for. VKORC1 -1639 that was
    not typed is read off its neighbours by the rules of the consortium: 2255 C>T, then 1173 C>T, then 1542 G>C, the
    first and the last not in Black patients, whose haplotypes are others. Age is a decade, comedication 1 or 0, empty
    where nobody asked. SchemaError where the file lacks a column.
    """
    import polars as pl

    raw = _open(Path(path))
    flow = [("read", raw.height)]
    kept = raw
    for step, rule in (
        ("stable dose reached", pl.col(_STABLE) == "1"),
        ("dose known", pl.col(_GIVEN).is_not_null()),
        ("ancestry known", pl.col("Race").is_not_null() & (pl.col("Race") != UNKNOWN_ANCESTRY)),
        ("age known", pl.col("Age").is_not_null()),
        ("CYP2C9 known, *1, *2 or *3", pl.col("CYP2C9 consensus").is_in(list(CYP2C9))),
        ("VKORC1 -1639 known or told by its neighbours", _vkorc1().is_not_null()),
    ):
        kept = kept.filter(rule)
        flow.append((step, kept.height))
    numbered = (
        (pl.col(_INDICATION).str.split(";").list.eval(pl.element().str.contains(number)).list.any(), name)
        for number, name in INDICATIONS.items()
    )
    table = kept.select(
        *(pl.col(name).alias(alias) for name, alias in _TEXTS.items()),
        # "60 - 69" and "90+" are the decades 6 and 9 of the equations
        pl.col("Age").str.slice(0, 1).cast(pl.Int64).alias("age_decade"),
        *(pl.col(name).cast(pl.Float64).alias(alias) for name, alias in _NUMBERS.items()),
        *(pl.col(name).cast(pl.Int64, strict=False).alias(alias) for name, alias in _FLAGS.items()),
        *(found.cast(pl.Int64).alias(name) for found, name in numbered),
        pl.col(_TARGET).replace("3.0-4.0", "3-4").alias("target_inr"),
        _vkorc1().alias("vkorc1_1639"),
        pl.col(_GIVEN).cast(pl.Float64).alias(DOSE),
    )
    sources = dict(sorted(kept.select(_source().alias("from"))["from"].value_counts().rows()))
    return Patients(table, tuple(flow), sources)


def load_iwpc(folder: Path) -> pl.DataFrame:
    """The patients of `read_iwpc`, as the data card of the file loads them."""
    return read_iwpc(folder / "warfarin.csv").table


def _open(path: Path) -> pl.DataFrame:
    import polars as pl

    try:
        raw = pl.read_csv(path, infer_schema=False, null_values=["NA", ""])
    except FileNotFoundError:
        raise TableError("there is no such file", where=str(path)) from None
    except pl.exceptions.PolarsError:
        raise TableError("is not a readable CSV file", where=path.name) from None
    neighbours = [f"VKORC1 {name} consensus" for name in ("-1639", *_LINKED)]
    wanted = [*_TEXTS, *_NUMBERS, *_FLAGS, "Age", _STABLE, _GIVEN, _INDICATION, _TARGET, *neighbours]
    lacking = [name for name in wanted if name not in raw.columns]
    if lacking:
        raise SchemaError(
            f"the published column {lacking[0]!r} is missing",
            where=path.name,
            hint="give the file of the consortium as it is, or a table of your own to train",
        )
    return raw.filter(pl.col("PharmGKB Subject ID").is_not_null())


def _told(position: str) -> pl.Expr:
    """What the neighbour at `position` says, null where it is not to be used."""
    import polars as pl

    told = pl.col(f"VKORC1 {position} consensus").replace_strict(
        _LINKED[position], default=None, return_dtype=pl.String
    )
    return told if position == "1173" else pl.when(pl.col("Race") != BLACK).then(told)


def _vkorc1() -> pl.Expr:
    import polars as pl

    return pl.coalesce(pl.col("VKORC1 -1639 consensus"), *(_told(position) for position in _LINKED))


def _source() -> pl.Expr:
    import polars as pl

    typed = pl.when(pl.col("VKORC1 -1639 consensus").is_not_null()).then(pl.lit("typed"))
    return pl.coalesce(
        typed, *(pl.when(_told(position).is_not_null()).then(pl.lit(position)) for position in _LINKED)
    )
