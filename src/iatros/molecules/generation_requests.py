"""What can be asked of generators and optimisers: one frozen class per action. Defaults live here and nowhere else."""

from __future__ import annotations

from pydantic import Field

from iatros.core.request import ModelRef, Request
from iatros.molecules.requests import POSITIONAL


class GenerateRequest(Request):
    """New compounds, written by a trained generator.

    OUT holds compounds.csv with each compound and its properties, compounds.smi, compounds.sdf, and compounds.html with
    the structures drawn.
    """

    model: ModelRef = Field(description="the bundle of a generator", json_schema_extra=POSITIONAL)
    n: int = Field(1000, ge=1, le=1_000_000, description="texts to write; not every one becomes a compound")
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
