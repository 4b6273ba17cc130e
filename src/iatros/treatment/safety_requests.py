"""What can be asked about safety, and the fields that every request has whose answers pass the gate."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, PlainSerializer, WithJsonSchema, model_validator

from iatros.core.request import Reference, Request, TableRef

EXAMPLE = "example"
"""What the knowledge that comes with iatros is asked for by; a folder of this name is given as ./example."""

_HERE = Path(__file__).parent / "safety" / EXAMPLE


def _knowledge(value: Any) -> Any:
    if isinstance(value, str) and value == EXAMPLE:
        return _HERE
    if isinstance(value, (str, Path)):
        return Path(value)
    if isinstance(value, (list, Mapping)) or type(value).__name__ in ("DataFrame", "Knowledge"):
        return value
    raise ValueError(
        "a knowledge is a folder, knowledge.yaml, a table of interactions, rows, or a mapping of tables"
    )


def _named(value: Any) -> dict[str, Any]:
    if isinstance(value, Path):
        return {"file": value.name}
    return {"rows": len(value)} if isinstance(value, list) else {"given": type(value).__name__}


KnowledgeRef = Annotated[
    Any,
    Reference("table"),
    BeforeValidator(_knowledge),
    PlainSerializer(_named),
    WithJsonSchema({"type": "array", "items": {"type": "object"}, "format": "knowledge"}),
]
"""A folder or file (never over HTTP), a mapping, a DataFrame, or rows that name their table. Serialises to a name."""


def _listed(value: Any) -> Any:
    """One text or several; what is in a text is told apart when the knowledge is at hand."""
    if isinstance(value, str):
        return (value,)
    return tuple(value) if isinstance(value, list) else value


def _assigned(value: Any) -> Any:
    """Accept `A=4 mg,B=2`, several such texts, or a mapping."""
    if isinstance(value, str):
        value = (value,)
    if isinstance(value, (list, tuple)):
        found: dict[str, str] = {}
        for part in (part for text in value for part in str(text).split(",") if part.strip()):
            name, equals, said = (piece.strip() for piece in part.partition("="))
            if not (name and equals and said):
                raise ValueError("each part is NAME=VALUE, several with commas between")
            if name in found:
                raise ValueError("a name is given twice")
            found[name] = said
        return found
    if isinstance(value, Mapping):
        return {name: str(said) if isinstance(said, (int, float)) else said for name, said in value.items()}
    return value


def _count(value: Any) -> dict[str, int]:
    return {"n": len(value)}


Listed = Annotated[tuple[str, ...], BeforeValidator(_listed), PlainSerializer(_count)]
"""Names, with semicolons or commas between. Serialises to their number: they can be patient data, and are logged."""
Values = Annotated[dict[str, str], BeforeValidator(_assigned), PlainSerializer(_count)]
"""Names with a value each. Serialises to their number."""
Mapped = Annotated[dict[str, str], BeforeValidator(_assigned)]
"""Names with a column or a unit each."""
_Told = PlainSerializer(lambda _: "told")

OF_ONE = ("current", "conditions", "allergies", "laboratory", "age_years", "sex", "pregnant")
"""The fields that tell of one patient."""


class SafetyFields(Request):
    """Fields of every request whose answers pass the gate: the knowledge, what it stops, and the patient."""

    knowledge: KnowledgeRef | None = Field(
        None,
        description="rules about safety: a folder, its knowledge.yaml, a table of interactions, or rows; example is a "
        "small illustration",
    )
    hard_stop: str = Field("major", description="severity from which a finding stops a treatment")
    unknown: Literal["tell", "stop"] = Field(
        "tell", description="what becomes of a treatment where a name is not in the knowledge"
    )
    missing: Literal["tell", "stop"] = Field(
        "tell", description="what becomes of a treatment where a value is missing that a hard stop needs"
    )
    same_drug: Literal["warn", "stop"] = Field(
        "warn", description="what becomes of a treatment that the patient takes already"
    )
    current: Listed | None = Field(
        None, description="what the patient takes now, by name or code; none where it is nothing"
    )
    conditions: Listed | None = Field(
        None, description="conditions of the patient, by name or code; none where there are none"
    )
    allergies: Listed | None = Field(
        None, description="allergies of the patient, to drugs or classes; none where there are none"
    )
    laboratory: Values = Field(
        {}, description="measured values, each with its unit, such as egfr=28 mL/min/1.73m2"
    )
    age_years: Annotated[float, _Told] | None = Field(
        None, ge=0.0, le=130.0, description="age of the patient", json_schema_extra={"unit": "years"}
    )
    sex: Annotated[Literal["female", "male"], _Told] | None = Field(None, description="sex of the patient")
    pregnant: Annotated[bool, _Told] | None = Field(None, description="whether the patient is pregnant")
    patient_columns: Mapped = Field(
        {},
        description="columns of a table of patients that are called otherwise than these fields, such as "
        "current=medication,conditions=icd10",
    )
    laboratory_units: Mapped = Field(
        {},
        description="columns of a table of patients that hold laboratory values, each with its unit, such as "
        "egfr=mL/min/1.73m2",
    )
    empty_lists: Literal["unknown", "none"] = Field(
        "unknown",
        description="what an empty cell of current, conditions and allergies means in a table of patients",
    )

    def told_of_one(self) -> list[str]:
        """The fields about one patient that were given."""
        return [name for name in OF_ONE if getattr(self, name) not in (None, {})]


class CheckRequest(SafetyFields):
    """What a knowledge says against medicines, for one patient or a table of patients; no model is asked.

    Each candidate is stopped, warned about, or nothing was found; what could not be checked is told. Without candidates
    the current medication is checked against itself. Nothing found is no promise of safety.
    """

    patients: TableRef | None = Field(
        None,
        description="patients, one row each, with lists cut by semicolons: a CSV or Parquet file, a DataFrame, or rows",
        json_schema_extra={"positional": True},
    )
    knowledge: KnowledgeRef = Field(
        description="rules about safety: a folder, its knowledge.yaml, a table of interactions, or rows; example is a "
        "small illustration"
    )
    candidates: Listed | None = Field(
        None,
        description="treatments to check, by name or code; with a table for every patient, unless it has such a column",
    )
    together: bool = Field(False, description="check the candidates against each other too, as one set")
    subject: str | None = Field(None, description="the column of the table that names the patient")

    @model_validator(mode="after")
    def _something_to_check(self) -> CheckRequest:
        if self.patients is None:
            if not self.candidates and not self.current:
                raise ValueError("give candidates, current, or a table of patients")
            needless = [
                name for name in ("patient_columns", "laboratory_units", "subject") if getattr(self, name)
            ]
            if needless:
                raise ValueError(f"{needless[0]} is about a table of patients: give patients")
        elif self.told_of_one():
            raise ValueError(f"{self.told_of_one()[0]} is about one patient: with a table it is a column")
        return self
