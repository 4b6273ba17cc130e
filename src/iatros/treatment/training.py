"""Train: which question a table asks, and who learns from it."""

from __future__ import annotations

from iatros.core.context import Context, Produced
from iatros.treatment.requests import TrainRequest


def train(request: TrainRequest, context: Context) -> Produced:
    """A bundle from responses."""
    from iatros.treatment.responses.training import train_responses

    return train_responses(request, context)
