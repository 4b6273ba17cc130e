"""What can be asked about molecules: one frozen class per action. Defaults live here and nowhere else."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, PlainSerializer, model_validator
from pydantic.config import JsonDict

from iatros.core.request import CompoundsRef, Names, Request

_POSITIONAL: JsonDict = {"positional": True}
_COMPOUNDS = (
    "compounds: SMILES (.smi), a table (.csv, .tsv, .parquet) or SDF, each text format also as .gz; from Python "
    "also a DataFrame, a list of SMILES or InChI, or a list of rows"
)
ALERTS = ("pains", "brenk", "nih", "moses")
StructureRef = Annotated[str, PlainSerializer(lambda _: "one structure")]
"""SMILES or InChI. Serialises to words without it: structures can be secret, and requests are logged."""
Unit = Literal["M", "mM", "uM", "nM", "pM", "p", "none", "class"]


class _ReadsCompounds(Request):
    """Fields of every request that reads compounds."""

    compounds: CompoundsRef = Field(description=_COMPOUNDS, json_schema_extra=_POSITIONAL)
    smiles: str | None = Field(
        None,
        description="the column with the structure, as SMILES or InChI; where not given, one whose name says so",
    )
    identifier: str | None = Field(
        None,
        description="the column (SDF: data field) that names the compound; where not given, one whose name says so",
    )


class _ReadsMeasurements(Request):
    """Fields of every request that reads a measurement of each compound."""

    activity: str | None = Field(
        None, description="the column (SDF: data field) with the measurement, such as IC50 or logS"
    )
    relation: str | None = Field(
        None, description="the column that holds =, > or < for each measurement; otherwise read off its cell"
    )
    unit_column: str | None = Field(None, description="the column that holds the unit of each measurement")
    unit: Unit | None = Field(
        None,
        description="the unit of all measurements: a concentration, p (minus log10 of mol/L, such as pIC50), none "
        "(a number on its own scale) or class (a label); none where neither unit nor unit_column is given",
    )
    max_spread: float | None = Field(
        None,
        ge=0.0,
        description="how far apart measurements of one compound may lie before they are reported as a conflict; "
        "where not given 1 (ten-fold) for concentrations, and no limit on another scale",
    )
    conflicts: Literal["keep", "refuse"] = Field(
        "keep", description="what becomes of a compound whose measurements conflict"
    )

    @model_validator(mode="after")
    def _goes_together(self) -> _ReadsMeasurements:
        if self.activity is None:
            needless = [
                name
                for name in ("relation", "unit_column", "unit", "max_spread")
                if getattr(self, name) is not None
            ]
            if needless:
                raise ValueError(
                    f"{needless[0]} is about a measurement: give activity, the column that holds it"
                )
        if self.unit is not None and self.unit_column is not None:
            raise ValueError("give either unit, for all lines, or unit_column")
        if self.unit == "class" and (self.relation is not None or self.max_spread is not None):
            raise ValueError("a class has neither a relation nor a spread")
        return self


class CurateRequest(_ReadsCompounds, _ReadsMeasurements):
    """One standard structure for each compound, with what became of every line.

    Fragments are removed, charges neutralised, duplicates merged by InChIKey and their measurements
    reconciled; alerts and broken rules are flagged. OUT holds compounds.csv, one row for each compound, and
    lines.csv, one row for each line that was read.
    """

    tautomer: bool = Field(
        False, description="replace each structure by its canonical tautomer (ten times slower)"
    )
    alerts: Names = Field(
        ("pains", "brenk", "moses"),
        description=f"structural alerts to look for, none to switch off: {', '.join(ALERTS)}",
    )
    max_heavy_atoms: int = Field(
        200,
        ge=1,
        le=999,
        description="largest compound, in atoms other than hydrogen; larger ones are refused",
    )

    @model_validator(mode="after")
    def _known_alerts(self) -> CurateRequest:
        unknown = sorted(set(self.alerts) - {*ALERTS, "none"})
        if unknown:
            raise ValueError(f"alerts: no set is called {', '.join(unknown)}")
        return self


class NeighboursRequest(Request):
    """The known compounds that are most similar to one.

    Similar is what has a large Tanimoto similarity of fingerprints; the search is exact. A file is indexed the first
    time that it is searched; the index is kept and used until the file changes.
    """

    structure: StructureRef = Field(
        description="the compound, as SMILES or InChI", json_schema_extra=_POSITIONAL
    )
    library: CompoundsRef = Field(description=f"where to search: {_COMPOUNDS}", json_schema_extra=_POSITIONAL)
    smiles: str | None = Field(
        None,
        description="the column of the library with the structure; where not given, one whose name says so",
    )
    identifier: str | None = Field(
        None,
        description="the column (SDF: data field) of the library that names the compound; where not given, one whose "
        "name says so",
    )
    k: int = Field(10, ge=1, le=10_000, description="how many compounds to show at most")
    threshold: float = Field(
        0.0, ge=0.0, le=1.0, description="the least similarity of a compound that is shown"
    )
    fingerprint: Literal["morgan", "feature-morgan", "avalon", "maccs"] = Field(
        "morgan",
        description="what is compared: circular environments (morgan: atoms as they are; feature-morgan: what they "
        "do), paths and rings (avalon), or 166 substructures (maccs)",
    )


class TargetsRequest(Request):
    """The proteins that a compound is likely to act on, by the known ligands of each.

    By the similarity ensemble approach, with the significance of each target, beside its most similar ligand. The
    reference holds one pair of compound and target a line, as any ChEMBL export does; it is indexed the first time that
    it is asked, and how often a known target is found is measured then.
    """

    structure: StructureRef = Field(
        description="the compound, as SMILES or InChI", json_schema_extra=_POSITIONAL
    )
    reference: CompoundsRef = Field(
        description=f"the known pairs, a compound and its target on each line: {_COMPOUNDS}",
        json_schema_extra=_POSITIONAL,
    )
    target: str = Field("target", description="the column (SDF: data field) that names the target")
    smiles: str | None = Field(
        None,
        description="the column of the reference with the structure; where not given, one whose name says so",
    )
    activity: str | None = Field(
        None,
        description="the column with the measured activity, higher for stronger once concentrations are minus log10 of "
        "mol/L; without it every line is a known pair",
    )
    active_from: float | None = Field(
        None,
        description="from which activity a pair counts: 6 is 1 uM or stronger; needed with activity",
    )
    relation: str | None = Field(
        None, description="the column that holds =, > or < for each measurement; otherwise read off its cell"
    )
    unit_column: str | None = Field(None, description="the column that holds the unit of each measurement")
    unit: Literal["M", "mM", "uM", "nM", "pM", "p", "none"] | None = Field(
        None,
        description="the unit of all measurements: a concentration, p (minus log10 of mol/L) or none (a number on its "
        "own scale, or 0 and 1); none where neither unit nor unit_column is given",
    )
    ranking: Literal["auto", "ensemble", "sum", "nearest"] = Field(
        "auto",
        description="order of the targets: by significance (ensemble), by summed similarity (sum), by the most similar "
        "ligand (nearest), or by the one of them that found known targets most often in this reference (auto)",
    )
    fingerprint: Literal["morgan", "feature-morgan"] = Field(
        "morgan",
        description="what is compared: circular environments, of atoms as they are or of what they do",
    )
    threshold: float = Field(
        0.3, gt=0.0, lt=1.0, description="the least Tanimoto similarity of a ligand that counts in the sum"
    )
    k: int = Field(20, ge=1, le=10_000, description="how many targets to show at most")
    seed: int = Field(0, ge=0, lt=2**31, description="of the random sets that tell chance, and of the check")

    @model_validator(mode="after")
    def _measured_together(self) -> TargetsRequest:
        if (self.activity is None) != (self.active_from is None):
            raise ValueError(
                "activity and active_from go together: the column, and from which value a pair counts"
            )
        if self.activity is None:
            needless = [
                name for name in ("relation", "unit_column", "unit") if getattr(self, name) is not None
            ]
            if needless:
                raise ValueError(
                    f"{needless[0]} is about a measurement: give activity, the column that holds it"
                )
        if self.unit is not None and self.unit_column is not None:
            raise ValueError("give either unit, for all lines, or unit_column")
        return self
