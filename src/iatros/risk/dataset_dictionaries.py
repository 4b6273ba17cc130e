"""Data dictionaries of the public datasets about risk: kinds, units, levels and when values become known."""

from __future__ import annotations

from typing import Any


def _columns(kind: str, *names: str, **more: Any) -> dict[str, dict[str, Any]]:
    return {name: {"kind": kind, **more} for name in names}


def _units(**units: str) -> dict[str, dict[str, Any]]:
    return {name: {"kind": "numeric", "unit": unit} for name, unit in units.items()}


HEART = {
    "columns": {
        **_units(age="years", trestbps="mmHg", chol="mg/dL", thalach="/min", oldpeak="mm"),
        **_columns("categorical", "cp", "restecg", "slope", "thal"),
        "ca": {"kind": "numeric", "description": "major vessels coloured by fluoroscopy"},
        "num": {
            "kind": "numeric",
            "recorded": "after_prediction",
            "description": "coronary disease by angiography, 0 is none",
        },
    }
}

DIABETES = {
    "columns": {
        "encounter_id": {"kind": "numeric", "identifier": True},
        "patient_nbr": {"kind": "numeric", "identifier": True},
        **_columns("categorical", "admission_type_id", "discharge_disposition_id", "admission_source_id"),
        "age": {"kind": "ordinal", "levels": [f"[{low}-{low + 10})" for low in range(0, 100, 10)]},
        "weight": {
            "kind": "ordinal",
            "levels": [*(f"[{low}-{low + 25})" for low in range(0, 200, 25)), ">200"],
            "description": "pounds",
        },
        "time_in_hospital": {"kind": "numeric", "unit": "days"},
        **_columns("categorical", "diag_1", "diag_2", "diag_3"),
    }
}

SUPPORT2 = {
    "columns": {
        "sno": {"kind": "numeric", "identifier": True, "description": "study number"},
        **_units(
            age="years", hday="days", edu="years", meanbp="mmHg", wblc="10^3/uL", hrt="/min", resp="/min",
            temp="Cel", pafi="mmHg", alb="g/dL", bili="mg/dL", crea="mg/dL", sod="mmol/L", glucose="mg/dL",
            bun="mg/dL", urine="mL/d",
        ),
        **_columns("numeric", "hospdead", "diabetes", "dementia"),
        **_columns(
            "numeric", "death", "d.time", "slos", "charges", "totcst", "totmcst", "avtisst", "dnrday",
            recorded="after_prediction",
        ),
        **_columns("categorical", "sfdm2", "dnr", recorded="after_prediction"),
        "income": {"kind": "ordinal", "levels": ["under $11k", "$11-$25k", "$25-$50k", ">$50k"]},
    }
}  # fmt: skip

WARFARIN = {
    "columns": {
        "subject_id": {"kind": "categorical", "identifier": True},
        "age_decade": {"kind": "numeric", "unit": "decades"},
        **_units(height_cm="cm", weight_kg="kg", dose_mg_week="mg/week"),
        **_columns("categorical", "race", "sex", "target_inr", "cyp2c9"),
        "vkorc1_1639": {"kind": "ordinal", "levels": ["G/G", "A/G", "A/A"]},
    }
}
