"""What can be asked of generators and optimisers: one frozen class per action. Defaults live here and nowhere else."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, PlainSerializer, WithJsonSchema, model_validator

from iatros.core.request import CompoundsRef, ModelRef, Names, Request
from iatros.molecules.requests import ALERTS, POSITIONAL, Parameters, StructureRef

FILTERS = (*ALERTS, "rings")


class GenerateRequest(Request):
    """New compounds, written by a trained generator, and a funnel of what deserves a look.

    OUT holds compounds.csv, compounds.smi and compounds.sdf with the compounds that came through and their properties,
    compounds.html with the funnel and the structures drawn, and written.smi with every text as it was written, for
    evaluate.
    """

    model: ModelRef = Field(description="the bundle of a generator", json_schema_extra=POSITIONAL)
    n: int = Field(1000, ge=1, le=1_000_000, description="texts to write; not every one becomes a compound")
    scaffold: StructureRef | None = Field(
        None,
        description="SMILES that every compound must hold, around which the generator writes; * marks where it may "
        "grow, and without any it may wherever an atom has room",
    )
    near: StructureRef | None = Field(
        None, description="SMILES of a compound in whose neighbourhood is written; for vae"
    )
    radius: float = Field(
        0.5, gt=0.0, le=10.0, description="how far from near, in standard deviations of the latent space"
    )
    unique: bool = Field(True, description="each compound once")
    novel: bool = Field(
        True, description="leave out compounds that were learned from, and those with one carbon atom more"
    )
    filters: Names = Field(
        ("pains", "brenk", "rings"),
        description=f"what a compound must not have, none to switch off: alerts ({', '.join(ALERTS)}), or ring systems "
        "that no compound learned from has (rings)",
    )
    most_difficult: float | None = Field(
        None, ge=1.0, le=10.0, description="largest synthetic accessibility, from 1 (easy) to 10 (hard)"
    )
    activity: ModelRef | None = Field(
        None,
        description="the bundle of a model of activity, by which the compounds are predicted and ordered",
    )
    diverse: int = Field(
        50, ge=0, le=10_000, description="how many diverse ones to pick among those that came through"
    )
    temperature: float = Field(
        1.0, gt=0.0, le=10.0, description="below 1 likelier tokens are drawn more often, above 1 less often"
    )
    nucleus: float = Field(
        1.0,
        gt=0.0,
        le=1.0,
        description="only the likeliest tokens that together reach this probability are drawn; 1 draws all",
    )
    seed: int = Field(0, ge=0, lt=2**31, description="of everything random")

    @model_validator(mode="after")
    def _fields_agree(self) -> GenerateRequest:
        unknown = sorted(set(self.filters) - {*FILTERS, "none"})
        if unknown:
            raise ValueError(
                f"filters: no filter is called {', '.join(unknown)}; known: {', '.join(FILTERS)}, none"
            )
        if self.scaffold is not None and self.near is not None:
            raise ValueError("give either scaffold or near: where to write around, or what to stay close to")
        return self


def _objective(value: Any) -> Any:
    if isinstance(value, (str, Path)):
        return Path(value)
    if isinstance(value, Mapping):
        return value
    raise ValueError("an objective is a path of a YAML file, or a mapping of what such a file holds")


ObjectiveRef = Annotated[
    Any,
    BeforeValidator(_objective),
    PlainSerializer(lambda value: value.name if isinstance(value, Path) else "one objective"),
    WithJsonSchema({"type": "string"}),
]


class OptimiseRequest(Request):
    """Compounds that an objective scores high, found in a given number of calls of it.

    OUT holds scored.csv with every compound that was scored and its parts, best.csv and best.sdf with the best, and
    optimisation.html with the course of the search, its ledger and the best compounds drawn.
    """

    objective: ObjectiveRef = Field(
        description="YAML file with the parts of the score", json_schema_extra=POSITIONAL
    )
    start: CompoundsRef | None = Field(
        None,
        description="known compounds from which the search starts, and whose way to be written a language model learns "
        "where no prior is given: a file, a DataFrame or a list of SMILES",
    )
    smiles: str | None = Field(
        None, description="the column of start with the structure; where not given, one whose name says so"
    )
    identifier: str | None = Field(
        None,
        description="the column of start that names the compound; where not given, one whose name says so",
    )
    model: str = Field("hybrid", description="how to search: hybrid, reinforce, graph-ga or screen")
    prior: ModelRef | None = Field(
        None, description="the bundle of an rnn or transformer that knows how compounds are written"
    )
    param: Parameters = Field(
        (), description="a parameter of the search, as MODEL.NAME=VALUE; may be repeated"
    )
    calls: int = Field(
        10_000, ge=1, le=10_000_000, description="calls of the objective after which the search ends"
    )
    seconds: float | None = Field(
        None,
        gt=0,
        description="time after which it ends, if earlier; the result is then that of this machine",
        json_schema_extra={"unit": "s"},
    )
    charge: Literal["unique", "all"] = Field(
        "unique",
        description="what counts as a call: each different compound, or every text that is asked, invalid, repeated "
        "and prescreened ones included",
    )
    top: int = Field(
        100, ge=1, le=100_000, description="how many of the best compounds to write and describe"
    )
    per_scaffold: int = Field(
        25,
        ge=0,
        le=1_000_000,
        description="compounds of one Murcko scaffold above the threshold; more of them bring the search no reward, "
        "but are kept; 0 for no limit",
    )
    scaffold_threshold: float = Field(
        0.5, ge=0, le=1, description="score from which on a compound counts for its scaffold"
    )
    stereo: bool = Field(
        False, description="tell mirror images apart; without it stereochemistry is left out"
    )
    seed: int = Field(0, ge=0, lt=2**31, description="of everything random")

    @model_validator(mode="after")
    def _has_a_start(self) -> OptimiseRequest:
        if self.start is None and self.prior is None:
            raise ValueError(
                "give start, the compounds to begin with, or prior, a generator that writes some"
            )
        return self
