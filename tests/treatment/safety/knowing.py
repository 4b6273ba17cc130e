"""Small knowledges for the tests, from rows without a file."""

from __future__ import annotations

from typing import Any

from iatros.treatment.safety.knowledge import About, Knowledge, build_knowledge
from iatros.treatment.safety.rows import Row
from iatros.treatment.safety.rules import Scale

WARFARIN = {
    "interactions": [
        {"drug_a": "warfarin", "drug_b": "amiodarone", "severity": "major", "mechanism": "CYP2C9", "source": "label"},
        {"drug_a": "ATC:M01A", "drug_b": "warfarin", "severity": "moderate"},
        {"drug_a": "simvastatin", "drug_b": "clarithromycin", "severity": "contraindicated"},
    ],
    "contraindications": [
        {"drug": "metformin", "threshold": "eGFR < 30 mL/min/1.73m2", "severity": "contraindicated"},
        {"drug": "propranolol", "condition": "J45*", "severity": "major"},
        {"drug": "propranolol", "condition": "asthma", "severity": "major"},
        {"drug": "warfarin", "threshold": "pregnant", "severity": "contraindicated"},
        {"drug": "codeine", "threshold": "age < 12 years", "severity": "contraindicated"},
    ],
    "allergies": [{"allergy": "penicillin", "drug": "ATC:J01C", "severity": "contraindicated"}],
    "duplicates": [{"class": "ATC:M01A", "level": "3", "severity": "moderate"}],
    "drugs": [
        {"drug": "warfarin", "atc": "B01AA03"},
        {"drug": "amiodarone", "atc": "C01BD01"},
        {"drug": "ibuprofen", "atc": "M01AE01"},
        {"drug": "naproxen", "atc": "M01AE02"},
        {"drug": "simvastatin", "atc": "C10AA01"},
        {"drug": "clarithromycin", "atc": "J01FA09"},
        {"drug": "metformin", "atc": "A10BA02"},
        {"drug": "propranolol", "atc": "C07AA05"},
        {"drug": "amoxicillin", "atc": "J01CA04"},
        {"drug": "codeine", "atc": "R05DA04"},
        {"drug": "clavulanic acid", "atc": ""},
    ],
    "synonyms": [
        {"name": "Coumadin", "canonical": "warfarin sodium", "system": "brand"},
        {"name": "warfarin sodium", "canonical": "warfarin"},
        {"name": "11289", "canonical": "warfarin", "system": "rxnorm"},
    ],
    "ingredients": [
        {"product": "Augmentin", "ingredient": "amoxicillin"},
        {"product": "Augmentin", "ingredient": "clavulanic acid"},
    ],
    "terms": [{"name": "bronchial asthma", "canonical": "asthma"}, {"name": "GFR", "canonical": "eGFR"}],
}  # fmt: skip
"""Two parts of it cannot be mistaken for each other: no severity, class or term serves twice in the same way."""


def rows_of(table: str, rows: list[dict[str, Any]]) -> list[Row]:
    """Rows as a file called after the table would give them, the header on line 1."""
    return [
        Row(
            {name: str(cell) for name, cell in row.items()}, f"{table}.csv", line, f"{table}.csv, line {line}"
        )
        for line, row in enumerate(rows, start=2)
    ]


def knowing(tables: dict[str, list[dict[str, Any]]] | None = None, scale: Scale | None = None) -> Knowledge:
    """The knowledge in `tables`, that of warfarin by default."""
    tables = WARFARIN if tables is None else tables
    rows = {table: rows_of(table, found) for table, found in tables.items()}
    return build_knowledge(rows, About(version="7"), scale or Scale())
