"""What can be asked of generators and optimisers: one frozen class per action. Defaults live here and nowhere else."""

from __future__ import annotations

from pydantic import Field, model_validator

from iatros.core.request import ModelRef, Names, Request
from iatros.molecules.requests import ALERTS, POSITIONAL, StructureRef

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
