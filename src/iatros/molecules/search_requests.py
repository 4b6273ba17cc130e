"""What can be asked of collections of compounds: one frozen class per action. Defaults live here and nowhere else."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from iatros.core.request import CompoundsRef, ModelRef, Names, Request
from iatros.molecules.requests import ALERTS, COMPOUNDS, POSITIONAL, StructureRef


class NeighboursRequest(Request):
    """The known compounds that are most similar to one.

    Similar is what has a large Tanimoto similarity of fingerprints; the search is exact. A file is indexed the first
    time that it is searched; the index is kept and used until the file changes.
    """

    structure: StructureRef = Field(
        description="the compound, as SMILES or InChI", json_schema_extra=POSITIONAL
    )
    library: CompoundsRef = Field(description=f"where to search: {COMPOUNDS}", json_schema_extra=POSITIONAL)
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
        description="the compound, as SMILES or InChI", json_schema_extra=POSITIONAL
    )
    reference: CompoundsRef = Field(
        description=f"the known pairs, a compound and its target on each line: {COMPOUNDS}",
        json_schema_extra=POSITIONAL,
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


class ScreenRequest(Request):
    """The best compounds of a library: by a trained model, or by their similarity to one compound.

    The library is read once, in bounded memory. OUT holds best.csv and best.sdf with the compounds in order, and
    refused.csv with each line that could not be judged.
    """

    library: CompoundsRef = Field(description=f"what to screen: {COMPOUNDS}", json_schema_extra=POSITIONAL)
    smiles: str | None = Field(
        None,
        description="the column with the structure, as SMILES or InChI; where not given, one whose name says so",
    )
    identifier: str | None = Field(
        None,
        description="the column (SDF: data field) that names the compound; where not given, one whose name says so",
    )
    bundle: ModelRef | None = Field(None, description="the model that ranks; either this or like")
    like: StructureRef | None = Field(
        None, description="rank by similarity to this compound (SMILES or InChI) in place of a model"
    )
    endpoint: str | None = Field(
        None, description="which endpoint of the model ranks; needed where it has several"
    )
    order: Literal["high", "low"] = Field(
        "high",
        description="whether high or low predictions are wanted; low is for toxicity, or concentrations",
    )
    top: int = Field(100, ge=1, le=100_000, description="how many of the best compounds to keep")
    diverse: int = Field(
        20,
        ge=0,
        le=10_000,
        description="how many of them to pick so that they differ most from each other; 0 for none",
    )
    min_similarity: float = Field(
        0.0,
        ge=0.0,
        le=1.0,
        description="the least similarity of a compound that is kept: to the compounds that the model learned from, "
        "or to like",
    )
    domain: Literal["flag", "only"] = Field(
        "flag",
        description="what becomes of compounds outside the model's domain of applicability: flag, or left out (only)",
    )
    alerts: Names = Field(
        ("pains", "brenk"),
        description=f"structural alerts to look for among the best, none to switch off: {', '.join(ALERTS)}",
    )

    @model_validator(mode="after")
    def _one_question(self) -> ScreenRequest:
        if (self.bundle is None) == (self.like is None):
            raise ValueError("give either bundle, the model that ranks, or like, a compound to be similar to")
        if self.like is not None:
            if self.endpoint is not None:
                raise ValueError("endpoint is about a model: give bundle")
            if self.domain == "only":
                raise ValueError("the domain is that of a model: give bundle")
            if self.order == "low":
                raise ValueError("the least similar are not asked for: order low needs bundle")
        unknown = sorted(set(self.alerts) - {*ALERTS, "none"})
        if unknown:
            raise ValueError(f"alerts: no set is called {', '.join(unknown)}")
        return self
