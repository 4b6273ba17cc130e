"""What can be asked about molecules: one frozen class per action. Defaults live here and nowhere else."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import BeforeValidator, Field, PlainSerializer, model_validator
from pydantic.config import JsonDict

from iatros.core.request import CompoundsRef, ModelRef, Names, Request

POSITIONAL: JsonDict = {"positional": True}
COMPOUNDS = (
    "compounds: SMILES (.smi), a table (.csv, .tsv, .parquet) or SDF, each text format also as .gz; from Python "
    "also a DataFrame, a list of SMILES or InChI, or a list of rows"
)
ALERTS = ("pains", "brenk", "nih", "moses")
StructureRef = Annotated[str, PlainSerializer(lambda _: "one structure")]
"""SMILES or InChI. Serialises to words without it: structures can be secret, and requests are logged."""
Unit = Literal["M", "mM", "uM", "nM", "pM", "p", "none", "class"]
FileRef = Annotated[Path, PlainSerializer(lambda path: {"file": path.name})]
"""A file beside the compounds. Serialises to its name: never a path of this machine, and never one over HTTP."""
_OfCompounds = Literal["random", "scaffold", "scaffold-deterministic", "cluster", "time", "given"]
_OfPairs = Literal["pairs", "leave-drug", "leave-target", "leave-both"]
Validation = Literal[_OfCompounds, _OfPairs]
Parameters = Annotated[tuple[str, ...], BeforeValidator(lambda v: (v,) if isinstance(v, str) else v)]
ACTIVE_FROM = (
    "the value from which a compound counts as active, such as 6.3 of a pIC50: how well predicted values tell active "
    "compounds is then told as well (AUROC, enrichment, BEDROC)"
)


class _ReadsCompounds(Request):
    """Fields of every request that reads compounds."""

    compounds: CompoundsRef = Field(description=COMPOUNDS, json_schema_extra=POSITIONAL)
    smiles: str | None = Field(
        None,
        description="the column with the structure, as SMILES or InChI; where not given, one whose name says so",
    )
    identifier: str | None = Field(
        None,
        description="the column (SDF: data field) that names the compound; where not given, one whose name says so",
    )


class ReadsProteins(Request):
    """Fields of every request that may be about pairs of a compound and a protein."""

    protein: str | None = Field(
        None,
        description="the column with the protein of each pair, as a sequence, or with fasta as the name of its record; "
        "asks for affinities: how strongly each compound binds its protein",
    )
    target: str | None = Field(
        None,
        description="the column that names the target of each pair, where targets differ by more than their sequence",
    )
    fasta: FileRef | None = Field(
        None,
        description="a FASTA file with the sequences, plain or gzip, whose records the column protein names",
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


class TrainRequest(ReadsProteins, _ReadsCompounds):
    """Learn from measured compounds how another compound will do, and show how far it can be trusted.

    One endpoint or several at once, of classes or of numbers; not every compound needs a value of each. Structures
    are standardised and repeated measurements reconciled as in curate. With a column of proteins the affinity of
    pairs is learned.
    """

    outcome: Names = Field(
        (),
        description="the columns (SDF: data fields) to predict, comma separated; several are learned together. The "
        "compounds.csv of a curation needs none",
    )
    positive: str | None = Field(
        None,
        description="which values of the outcome count as active: a value, or a comparison such as '>=6.3'",
    )
    task: Literal["auto", "binary", "continuous"] = Field(
        "auto", description="kind of outcome; auto reads it off the columns"
    )
    active_from: float | None = Field(None, description=ACTIVE_FROM)
    relation: str | None = Field(
        None, description="the column that holds =, > or < for each measurement; otherwise read off its cell"
    )
    unit_column: str | None = Field(None, description="the column that holds the unit of each measurement")
    unit: Literal["M", "mM", "uM", "nM", "pM", "p", "none"] | None = Field(
        None,
        description="the unit of all measurements: a concentration (learned as minus log10 of mol/L), p (already so) "
        "or none (a number on its own scale); none where neither unit nor unit_column is given",
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
    tautomer: bool = Field(
        False, description="replace each structure by its canonical tautomer (ten times slower)"
    )
    model: Names = Field(
        None,  # type: ignore[arg-type]  # filled before it is read
        description="models to train (comma separated, or all of the question); the best on compounds or pairs that it "
        "has not seen is kept. Where not given ensemble, and with protein dti-hybrid. A generator learns what the "
        "compounds look like, to write new ones",
    )
    param: Parameters = Field((), description="a model parameter, as MODEL.NAME=VALUE; may be repeated")
    validation: Validation = Field(
        None,  # type: ignore[arg-type]  # filled before it is read
        description="what is kept apart from the compounds that are learned from: scaffolds (scaffold: balanced, "
        "scaffold-deterministic: the rarest are held out), clusters of similar compounds, the latest compounds, the "
        "side that the file names, or only the compound itself (random). With protein: targets and those like them, "
        "drugs, both, or only the pair itself (pairs). Where not given scaffold, and with protein leave-target",
    )
    same_group: float = Field(
        0.6,
        gt=0.0,
        le=1.0,
        description="normalised Smith-Waterman score above which targets are alike and stand on one side; for "
        "validation leave-target and leave-both",
    )
    folds: int = Field(
        0,
        ge=0,
        le=20,
        description="folds of cross-validation, 2 or more; 0 holds one side out, once, and with protein makes 5",
    )
    held_out_fraction: float | None = Field(
        None,
        gt=0.0,
        lt=0.9,
        description="share of the compounds held out; where not given a fifth, of scaffold-deterministic a tenth",
    )
    cluster_similarity: float = Field(
        0.6,
        gt=0.0,
        lt=1.0,
        description="least Tanimoto similarity of a compound to the centre of its cluster; for validation cluster",
    )
    time: str | None = Field(None, description="the column with the date or year, for validation time")
    split: str | None = Field(
        None, description="the column that names the side of each compound, for validation given"
    )
    inner_folds: int = Field(
        0,
        ge=0,
        le=20,
        description="fits of each model, each without one part of the compounds; they are averaged. 0: 5, and 3 above "
        "20,000 compounds",
    )
    calibration: Literal["auto", "none", "intercept", "slope", "isotonic"] = Field(
        "auto",
        description="calibration on compounds that the model has not seen; auto chooses by cross-validated loss",
    )
    coverage: float = Field(0.9, gt=0.5, lt=1.0, description="of conformal sets and prediction intervals")
    confidence_level: float = Field(0.95, gt=0.5, lt=1.0, description="of the intervals of metrics")
    y_scrambling: int = Field(
        20,
        ge=0,
        le=1000,
        description="times that a quick model is judged on shuffled outcomes, which it must not predict; 0 leaves the "
        "check out",
    )
    start: ModelRef | None = Field(
        None, description="a bundle of the same kind of generator, from which learning goes on"
    )
    finetune: FileRef | None = Field(
        None,
        description="a file of few compounds, such as known actives, that a generator learns last, so that it writes "
        "more like them",
    )
    seconds: float | None = Field(
        None,
        gt=0.0,
        description="time for a generator to learn in; what does not fit into it is left out, so another machine may "
        "learn something else",
    )
    keep_fingerprints: bool = Field(
        True,
        description="keep fingerprints of the training compounds in the bundle, for the domain of applicability; "
        "without, nobody can check whether a structure was learned from",
    )
    seed: int = Field(0, ge=0, lt=2**31, description="of everything random")

    @model_validator(mode="before")
    @classmethod
    def _defaults_of_the_question(cls, given: Any) -> Any:
        if not isinstance(given, dict):
            return given
        model, validation = (
            (("ensemble",), "scaffold") if given.get("protein") is None else (("dti-hybrid",), "leave-target")
        )
        filled = {"model": model, "validation": validation}
        return given | {name: value for name, value in filled.items() if given.get(name) is None}

    @model_validator(mode="after")
    def _fields_agree(self) -> TrainRequest:
        if len(set(self.outcome)) < len(self.outcome):
            raise ValueError("outcome: a column is named twice")
        _check_question(self)
        if self.unit is not None and self.unit_column is not None:
            raise ValueError("give either unit, for all lines, or unit_column")
        if (self.validation == "time") != (self.time is not None):
            raise ValueError("validation time and the column time go together")
        if (self.validation == "given") != (self.split is not None):
            raise ValueError("validation given and the column split go together")
        if self.folds == 1 or self.inner_folds == 1:
            raise ValueError("one fold leaves nothing to learn from: give 0, or 2 and more")
        if self.folds and self.validation in ("time", "scaffold-deterministic"):
            raise ValueError(f"validation {self.validation} holds one side out, so folds has no meaning")
        if self.positive is not None and self.task == "continuous":
            raise ValueError("positive makes classes of the outcome, so task cannot be continuous")
        if self.active_from is not None and (self.positive is not None or self.task == "binary"):
            raise ValueError("active_from judges predicted values, and classes are to be predicted here")
        return self


_OF_COMPOUNDS_ALONE = (
    "positive", "active_from", "held_out_fraction", "cluster_similarity", "time", "split", "inner_folds",
    "calibration", "y_scrambling", "keep_fingerprints",
)  # fmt: skip
"""Fields of a training that have no meaning for pairs."""


def _check_question(request: TrainRequest) -> None:
    """ValueError where a field belongs to the other question: compounds, or pairs of a compound and a protein."""
    if request.protein is None:
        needless = [name for name in ("target", "fasta") if getattr(request, name) is not None]
        if needless:
            raise ValueError(
                f"{needless[0]} is about pairs: give protein, the column with the protein of each"
            )
        if request.validation in get_args(_OfPairs):
            raise ValueError(
                f"validation {request.validation} is about pairs: give protein, or one of "
                f"{', '.join(get_args(_OfCompounds))}"
            )
    else:
        if request.validation not in get_args(_OfPairs):
            raise ValueError(
                f"validation {request.validation} is about compounds alone; with protein it is one of "
                f"{', '.join(get_args(_OfPairs))}"
            )
        for name in _OF_COMPOUNDS_ALONE:
            if getattr(request, name) != TrainRequest.model_fields[name].get_default():
                raise ValueError(f"{name} has no meaning with protein, which asks for the affinity of pairs")
        if request.task == "binary":
            raise ValueError("an affinity is a number, so task cannot be binary")
        if len(request.outcome) != 1:
            raise ValueError("with protein, outcome names one column, the one with the affinity")
    if request.same_group != TrainRequest.model_fields["same_group"].get_default() and (
        request.validation not in ("leave-target", "leave-both")
    ):
        raise ValueError("same_group is for validation leave-target and leave-both, which keep targets apart")


class UsesModel(Request):
    """Fields of every request that asks a bundle about compounds."""

    model: ModelRef = Field(description="the bundle", json_schema_extra=POSITIONAL)
    compounds: CompoundsRef = Field(description=COMPOUNDS, json_schema_extra=POSITIONAL)
    smiles: str | None = Field(
        None,
        description="the column with the structure, as SMILES or InChI; where not given, one whose name says so",
    )
    identifier: str | None = Field(
        None,
        description="the column (SDF: data field) that names the compound; where not given, one whose name says so",
    )


class PredictRequest(ReadsProteins, UsesModel):
    """The predicted activity of each compound, with its interval or set, and whether the model knows its kind.

    A bundle that was trained with proteins gives the affinity of each pair, with its interval and how similar the
    nearest known drug and target are; columns are then named as in training where they are not given.

    One row for each line, in the order of the input; a line without an answer has the reason.
    """

    abstain: bool = Field(
        False,
        description="give no answer for compounds, or pairs, outside the domain of applicability, but the reason",
    )


class ExplainRequest(UsesModel):
    """What each atom contributes to the answer, drawn on the structure, and checks of the maps themselves."""

    endpoint: str | None = Field(
        None, description="the endpoint that is explained; the first of the model where not given"
    )
    most: int = Field(16, ge=1, le=1000, description="compounds to explain, the first different ones")
    top: int = Field(10, ge=1, le=1000, description="fragments to name of each compound, the strongest first")
