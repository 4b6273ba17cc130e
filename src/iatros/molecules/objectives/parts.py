"""The parts that need nothing but the structure: properties, likeness to compounds, substructures, elements, rings."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from pydantic import BeforeValidator, Field, StrictBool, StrictStr, field_validator, model_validator
from rdkit import Chem, rdBase

from iatros.core.errors import InputError, unknown_name
from iatros.molecules.curation.alerts import SOURCES as ALERTS
from iatros.molecules.objectives.fingerprints import KINDS
from iatros.molecules.objectives.likeness import similarities
from iatros.molecules.objectives.molecule import Molecule
from iatros.molecules.objectives.part import Measured, Part, column
from iatros.molecules.objectives.properties import PROPERTIES
from iatros.molecules.objectives.references import References, read_references


def _several(value: Any) -> Any:
    return [value] if isinstance(value, (str, int)) else value


Texts = Annotated[tuple[StrictStr, ...], BeforeValidator(_several), Field(min_length=1)]
"""One text or a list of them."""


class PropertyPart(Part):
    """A number that RDKit computes."""

    key: ClassVar[str] = "property"
    property: StrictStr

    @field_validator("property")
    @classmethod
    def _known(cls, name: str) -> str:
        if name not in PROPERTIES:
            raise unknown_name("property", name, PROPERTIES)
        return name

    @model_validator(mode="after")
    def _wanted(self) -> PropertyPart:
        if "transform" not in self.model_fields_set and not PROPERTIES[self.property].share:
            raise ValueError(
                f"{self.property} does not lie between 0 and 1, so a transform is needed to say which values are "
                "wanted, for example {kind: gaussian, mean: 2.5, spread: 1}"
            )
        return self

    def measure(self, molecules: Sequence[Molecule]) -> Measured:  # noqa: D102
        return Measured(column([one.property(self.property) for one in molecules]))

    def label(self) -> str:  # noqa: D102
        return self.property

    def unit(self) -> str:  # noqa: D102
        return PROPERTIES[self.property].unit


class _Compared(Part):
    """What the parts share that compare a compound with references."""

    fingerprint: StrictStr = "morgan"
    radius: int = Field(2, ge=0, le=4)
    to: Literal["nearest", "mean"] = "nearest"

    @field_validator("fingerprint")
    @classmethod
    def _known(cls, name: str) -> str:
        if name not in KINDS:
            raise unknown_name("fingerprint", name, KINDS)
        return name

    def likeness(self, references: References, molecules: Sequence[Molecule]) -> np.ndarray:
        """Similarity to the nearest reference, or the mean over them (n,)."""
        return similarities(references, molecules, self.fingerprint, self.radius, self.to)


class SimilarPart(_Compared):
    """How like the references a compound is, 0 to 1."""

    key: ClassVar[str] = "similar_to"
    similar_to: Annotated[References, BeforeValidator(read_references)]

    def measure(self, molecules: Sequence[Molecule]) -> Measured:  # noqa: D102
        return Measured(self.likeness(self.similar_to, molecules))

    def label(self) -> str:  # noqa: D102
        return "similarity"

    def document(self) -> dict[str, Any]:  # noqa: D102
        return super().document() | {self.key: self.similar_to.document()}


class DistantPart(_Compared):
    """How unlike the references a compound is: 1 less the similarity."""

    key: ClassVar[str] = "distance_from"
    distance_from: Annotated[References, BeforeValidator(read_references)]

    def measure(self, molecules: Sequence[Molecule]) -> Measured:  # noqa: D102
        return Measured(1.0 - self.likeness(self.distance_from, molecules))

    def label(self) -> str:  # noqa: D102
        return "distance"

    def document(self) -> dict[str, Any]:  # noqa: D102
        return super().document() | {self.key: self.distance_from.document()}


class _Patterns(Part):
    """What the parts share that look for substructures; a constraint unless said otherwise."""

    yes_or_no: ClassVar[bool] = True
    hard: StrictBool = True

    @staticmethod
    def _readable(patterns: tuple[str, ...]) -> tuple[str, ...]:
        for smarts in patterns:
            with rdBase.BlockLogs():
                query = Chem.MolFromSmarts(smarts)
            if query is None or not query.GetNumAtoms():
                raise InputError(
                    "the substructure is not SMARTS",
                    cell=smarts,
                    hint="SMARTS in YAML stand in quotes, as in require: '[#7]c1ccccc1'",
                )
        return patterns


class RequiredPart(_Patterns):
    """1 where every pattern is found, else 0."""

    key: ClassVar[str] = "require"
    require: Texts

    _smarts = field_validator("require")(_Patterns._readable)

    def measure(self, molecules: Sequence[Molecule]) -> Measured:  # noqa: D102
        return Measured(column([all(one.has(s, query(s)) for s in self.require) for one in molecules]))

    def label(self) -> str:  # noqa: D102
        return f"has {' and '.join(self.require)}"[:80]


class ForbiddenPart(_Patterns):
    """1 where none of the patterns is found, else 0."""

    key: ClassVar[str] = "forbid"
    forbid: Texts

    _smarts = field_validator("forbid")(_Patterns._readable)

    def measure(self, molecules: Sequence[Molecule]) -> Measured:  # noqa: D102
        return Measured(column([not any(one.has(s, query(s)) for s in self.forbid) for one in molecules]))

    def label(self) -> str:  # noqa: D102
        return f"has no {' nor '.join(self.forbid)}"[:80]


class AlertPart(Part):
    """1 where no alert of the published lists is found, else 0."""

    key: ClassVar[str] = "alerts"
    alerts: Texts
    yes_or_no: ClassVar[bool] = True
    hard: StrictBool = True

    @field_validator("alerts")
    @classmethod
    def _known(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            if name not in ALERTS:
                raise unknown_name("list of alerts", name, ALERTS)
        return names

    def measure(self, molecules: Sequence[Molecule]) -> Measured:  # noqa: D102
        return Measured(column([not any(one.alerts(name) for name in self.alerts) for one in molecules]))

    def label(self) -> str:  # noqa: D102
        return f"no alert of {', '.join(self.alerts)}"


class ElementPart(Part):
    """1 where a compound has no other elements than these, else 0; hydrogen is always allowed."""

    key: ClassVar[str] = "elements"
    elements: Texts
    yes_or_no: ClassVar[bool] = True
    hard: StrictBool = True

    @field_validator("elements")
    @classmethod
    def _known(cls, symbols: tuple[str, ...]) -> tuple[str, ...]:
        for symbol in symbols:
            if symbol not in _symbols():
                raise InputError("there is no such element", cell=symbol, hint="write symbols, as C or Cl")
        return symbols

    def measure(self, molecules: Sequence[Molecule]) -> Measured:  # noqa: D102
        allowed = {"H", *self.elements}
        return Measured(column([one.elements.keys() <= allowed for one in molecules]))

    def label(self) -> str:  # noqa: D102
        return f"of {', '.join(self.elements)}"


class RingPart(Part):
    """1 where every ring has one of these sizes, else 0; so for compounds without rings."""

    key: ClassVar[str] = "ring_sizes"
    ring_sizes: Annotated[
        tuple[Annotated[int, Field(ge=3, le=100)], ...], BeforeValidator(_several), Field(min_length=1)
    ]
    yes_or_no: ClassVar[bool] = True
    hard: StrictBool = True

    def measure(self, molecules: Sequence[Molecule]) -> Measured:  # noqa: D102
        return Measured(column([set(one.ring_sizes) <= set(self.ring_sizes) for one in molecules]))

    def label(self) -> str:  # noqa: D102
        return f"rings of {', '.join(map(str, self.ring_sizes))}"


class FormulaPart(Part):
    """How near a compound's formula is, 0 to 1.

    A mean over the elements of the formula and the number of all atoms: of each, a Gaussian around what is wanted, of
    spread 1 for an element and 2 for all atoms (the isomer score of GuacaMol; Brown et al. 2019).
    """

    key: ClassVar[str] = "formula"
    formula: StrictStr
    mean: Literal["geometric", "arithmetic"] = "geometric"

    @field_validator("formula")
    @classmethod
    def _readable(cls, formula: str) -> str:
        wanted = atoms_of(formula)
        if not re.fullmatch(r"([A-Z][a-z]?\d*)+", formula) or not set(wanted) <= set(_symbols()):
            raise InputError("the formula cannot be read", cell=formula, hint="write it as C9H8O4")
        return formula

    def measure(self, molecules: Sequence[Molecule]) -> Measured:  # noqa: D102
        wanted = atoms_of(self.formula)
        found = np.array([[one.elements[symbol] for symbol in wanted] for one in molecules], dtype=np.float64)
        away = found.reshape(-1, len(wanted)) - list(wanted.values())
        total = column([sum(one.elements.values()) for one in molecules]) - sum(wanted.values())
        logs = -0.5 * np.column_stack([away, total / 2.0]) ** 2
        means = np.exp(logs.mean(axis=1)) if self.mean == "geometric" else np.exp(logs).mean(axis=1)
        return Measured(means)

    def label(self) -> str:  # noqa: D102
        return self.formula


def atoms_of(formula: str) -> dict[str, int]:
    """How many atoms of each element a formula has.

    >>> atoms_of("C9H10N2O2PF2Cl")["Cl"]
    1
    """
    counts: dict[str, int] = {}
    for symbol, n in re.findall(r"([A-Z][a-z]?)(\d*)", formula):
        counts[symbol] = counts.get(symbol, 0) + (int(n) if n else 1)
    return counts


@lru_cache(maxsize=1024)
def query(smarts: str) -> Any:
    """The pattern of SMARTS that are known to be valid."""
    return Chem.MolFromSmarts(smarts)


@lru_cache(maxsize=1)
def _symbols() -> tuple[str, ...]:
    table = Chem.GetPeriodicTable()
    return tuple(table.GetElementSymbol(number) for number in range(1, 119))
