"""Patients as a request tells them: one by its fields, or one in each row of a table."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from iatros.core.errors import RequestError, TableError, unknown_name
from iatros.treatment.safety.knowledge import Knowledge
from iatros.treatment.safety.names import NONE, folded, list_of
from iatros.treatment.safety.patients import Patient, Sex
from iatros.treatment.safety.rows import open_raw, texts_of
from iatros.treatment.safety.thresholds import Fact, Limit, Measurement, read_measurement
from iatros.treatment.safety.units import same_unit
from iatros.treatment.safety_requests import OF_ONE, SafetyFields

_LISTS = ("current", "conditions", "allergies", "candidates")
_SEX: dict[str, Sex] = {"f": "female", "female": "female", "m": "male", "male": "male"}
_TRUE = {"yes": True, "y": True, "true": True, "1": True, "no": False, "n": False, "false": False, "0": False}
_OLDEST = 130.0
_ELSEWHERE = "write it so, or name another column with patient_columns"


@dataclass(frozen=True, repr=False)
class PatientRows:
    """Patients, for each the candidates that its row names (None where it names none), and its name."""

    patients: tuple[Patient, ...]
    candidates: tuple[tuple[str, ...] | None, ...]
    subjects: tuple[str, ...] | None
    places: tuple[str, ...]
    """Where each patient stands."""
    notes: tuple[str, ...] = ()


def patient_of(request: SafetyFields, knowledge: Knowledge) -> Patient:
    """The patient that the fields of a request tell of; RequestError for a value that is none."""
    laboratory: dict[str, tuple[Measurement, ...]] = {}
    for name, text in request.laboratory.items():
        try:
            laboratory[name] = (read_measurement(text),)
        except ValueError as error:
            raise RequestError(f"laboratory, {name}: the value {error}") from None
    return Patient(
        current=names_of(request.current, _knows_drug(knowledge)),
        conditions=names_of(request.conditions, knowledge.knows_condition),
        allergies=names_of(request.allergies, knowledge.knows_allergy),
        laboratory=laboratory,
        age_years=request.age_years,
        sex=request.sex,
        pregnant=request.pregnant,
    )


def candidates_of(texts: Sequence[str] | None, knowledge: Knowledge) -> tuple[str, ...] | None:
    """The treatments that a field names; None where it was not given."""
    return names_of(texts, _knows_drug(knowledge))


def names_of(texts: Sequence[str] | None, known: Callable[[str], bool]) -> tuple[str, ...] | None:
    """The names in several texts; None where nothing was told, empty where it was told that there are none."""
    if texts is None or not any(folded(text) for text in texts):
        return None
    return tuple(name for text in texts for name in list_of(text, known))


def columns_of(request: SafetyFields) -> tuple[str, ...]:
    """The columns of a table of patients that are read here, and that a model must leave alone."""
    named = (request.patient_columns.get(name, name) for name in OF_ONE if name != "laboratory")
    return (*named, *request.laboratory_units)


def read_patients(
    table: Any, request: SafetyFields, knowledge: Knowledge, *, subject: str | None = None
) -> PatientRows:
    """A patient from each row of `table` (a path, a DataFrame or rows), in their order; none is left out.

    Columns are called like the fields of the request, or as `patient_columns` says, and `candidates`; those of
    `laboratory_units` hold laboratory values. Other columns are left alone. TableError, with line and column and never
    with the cell, for a value that is none.
    """
    raw = open_raw(_joined(table), "patients")
    if raw is None:
        raise TableError("the table has no rows", where="patients", hint="at least one row is needed")
    if raw.refused:
        first = raw.refused[0]
        hint = "correct the line: no patient is left out of a check"
        raise TableError(first.reason, where=f"{raw.source}, line {first.row}", hint=hint)
    reader = _Reader(raw, request, knowledge)
    subjects = None if subject is None else tuple(texts_of(reader.series(subject)))
    places = tuple(raw.place("", at).removesuffix(", column ") for at in range(len(raw.rows)))
    columns = {name: reader.column(name) for name in (*OF_ONE, "candidates")}
    patients = tuple(
        Patient(
            laboratory=reader.laboratory(at),
            **{name: columns[name][at] for name in OF_ONE if name != "laboratory"},
        )
        for at in range(len(places))
    )
    return PatientRows(patients, tuple(columns["candidates"]), subjects, places, tuple(reader.notes()))


def _joined(table: Any) -> Any:
    """Rows in which a list is one text, as it would stand in a file."""
    if not isinstance(table, list):
        return table
    return [
        {
            name: "; ".join(map(str, cell)) or NONE if isinstance(cell, (list, tuple)) else cell
            for name, cell in row.items()
        }
        for row in table
    ]


class _Reader:
    def __init__(self, raw: Any, request: SafetyFields, knowledge: Knowledge) -> None:
        self._raw, self._request, self._knowledge = raw, request, knowledge
        allowed = [name for name in (*OF_ONE, "candidates") if name != "laboratory"]
        for name in request.patient_columns:
            if name not in allowed:
                raise unknown_name("field of a patient", name, allowed, where="patient_columns")
        self._named = {name: request.patient_columns.get(name, name) for name in allowed}
        self._taken = [name for name in allowed if self._takes(name)]
        self._check_units()
        self._values = {name: texts_of(self.series(name)) for name in request.laboratory_units}

    def _takes(self, field: str) -> bool:
        """Whether a field is read: it was asked for, or its column is there and some rule may need it."""
        if field in self._request.patient_columns:
            return True
        if self._named[field] not in self._raw.columns:
            return False
        limits = [rule.threshold for rule in self._knowledge.contraindications if rule.threshold is not None]
        facts = {limit.name for limit in limits if isinstance(limit, Fact)}
        aged = self._knowledge.vocabulary.term("age") in {limit.name for limit in limits}
        needed = {
            "sex": bool(facts),
            "pregnant": "pregnant" in facts,
            "age_years": "pregnant" in facts or aged,
        }
        return needed.get(field, True)

    def series(self, name: str) -> Any:
        if name not in self._raw.columns:
            raise unknown_name("column", name, self._raw.columns, where=self._raw.source)
        return self._raw.columns[name]

    def column(self, field: str) -> list[Any]:
        """The values of a field, None in every row where the table does not have it."""
        if field not in self._taken:
            return [None] * len(self._raw.rows)
        column = self._named[field]
        series = self.series(column)
        if field in _LISTS:
            return [self._list(field, cell) for cell in _written(series)]
        read = {"age_years": self._age, "sex": self._sex, "pregnant": self._pregnant}[field]
        return [read(cell, at, column) if cell else None for at, cell in enumerate(texts_of(series))]

    def laboratory(self, at: int) -> dict[str, tuple[Measurement, ...]]:
        found: dict[str, tuple[Measurement, ...]] = {}
        for name, unit in self._request.laboratory_units.items():
            cell = self._values[name][at]
            if not cell:
                continue
            try:
                found[name] = (read_measurement(cell, unit),)
            except ValueError as error:
                raise TableError(f"the value {error}", where=self._raw.place(name, at)) from None
        return found

    def notes(self) -> list[str]:
        """What a reader should know: columns that were taken or look as if they were meant."""
        there = [self._named[field] for field in self._taken]
        notes = [
            f"of each patient was read: {', '.join([*there, *self._request.laboratory_units]) or 'nothing'}"
        ]
        limits = {
            rule.threshold.name
            for rule in self._knowledge.contraindications
            if isinstance(rule.threshold, Limit)
        }
        taken = (*there, *self._request.laboratory_units)
        unit_needed = [
            name for name in self._raw.columns
            if name not in taken and self._knowledge.vocabulary.term(name) in limits
        ]  # fmt: skip
        if unit_needed:
            notes.append(
                f"not read, because their unit was not told (laboratory_units): {', '.join(unit_needed)}; rules about "
                "them were not checked"
            )
        return [*notes, *self._raw.notes]

    def _check_units(self) -> None:
        """RequestError for a unit that cannot be turned into that of a rule, before any patient is checked."""
        term = self._knowledge.vocabulary.term
        for name, unit in self._request.laboratory_units.items():
            for rule in self._knowledge.contraindications:
                limit = rule.threshold
                if not isinstance(limit, Limit) or limit.name != term(name):
                    continue
                if not same_unit(unit, limit.unit, limit.name):
                    wanted = limit.unit or "no unit"
                    raise RequestError(
                        f"laboratory_units: {name} is in {unit}, and the rule in {wanted}: neither can be turned into "
                        "the other",
                        where=rule.place,
                        hint=f"give {name} in {wanted}",
                    )

    def _list(self, field: str, cell: str) -> tuple[str, ...] | None:
        known = {
            "conditions": self._knowledge.knows_condition, "allergies": self._knowledge.knows_allergy,
        }.get(field, _knows_drug(self._knowledge))  # fmt: skip
        if folded(cell):
            return list_of(cell, known)
        return () if self._request.empty_lists == "none" and field != "candidates" else None

    def _age(self, cell: str, at: int, column: str) -> float:
        try:
            age = float(cell)
        except ValueError:
            age = -1.0
        if not 0.0 <= age <= _OLDEST:
            raise TableError(f"is not an age of 0 to {_OLDEST:g} years", where=self._raw.place(column, at))
        return age

    def _sex(self, cell: str, at: int, column: str) -> Sex:
        if folded(cell) not in _SEX:
            raise TableError("is not female or male", where=self._raw.place(column, at), hint=_ELSEWHERE)
        return _SEX[folded(cell)]

    def _pregnant(self, cell: str, at: int, column: str) -> bool:
        if folded(cell) not in _TRUE:
            raise TableError("is not yes or no", where=self._raw.place(column, at), hint=_ELSEWHERE)
        return _TRUE[folded(cell)]


def _written(series: Any) -> list[str]:
    """The cells of a list: what means missing is empty, but `None` is the word none."""
    texts = texts_of(series)
    raw = series.to_list()
    return [
        NONE if isinstance(cell, str) and folded(cell) == NONE else text
        for cell, text in zip(raw, texts, strict=True)
    ]


def _knows_drug(knowledge: Knowledge) -> Callable[[str], bool]:
    return lambda text: knowledge.drug(text).known
