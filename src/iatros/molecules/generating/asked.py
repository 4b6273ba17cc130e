"""Whether a training asks for a generator, and what its request may then hold."""

from __future__ import annotations

from collections.abc import Sequence

from iatros.core.errors import RequestError
from iatros.molecules.generators import GENERATORS
from iatros.molecules.requests import TrainRequest

_FIELDS = frozenset(
    (
        "compounds",
        "smiles",
        "identifier",
        "model",
        "param",
        "start",
        "finetune",
        "seconds",
        "keep_fingerprints",
        "seed",
    )
)
"""What has a meaning for generators; all else is about measurements."""


def is_generator(models: Sequence[str]) -> bool:
    """Whether the models that are to be trained are generators."""
    return any(name in GENERATORS.names() for name in models)


def check(request: TrainRequest) -> str:
    """The generator that is asked for; RequestError for several models, or fields that are about measurements."""
    if len(request.model) > 1:
        raise RequestError(
            "one generator is trained at a time, because they are not judged by the same measure",
            where="model",
            hint="train each into its own bundle, and compare what they write with evaluate",
        )
    defaults = TrainRequest.model_validate({"compounds": request.compounds})
    for name in sorted(set(TrainRequest.model_fields) - _FIELDS):
        if getattr(request, name) != getattr(defaults, name):
            raise RequestError(
                f"{name} has no meaning for {request.model[0]}, which learns structures and no measurement",
                where=name,
                hint="leave it out, or name a model of activity",
            )
    return request.model[0]
