"""The baseline, moved by how similar treatments did in the subject, or how similar subjects did on the treatment."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from iatros.learners.completion.neighbours import Likeness
from iatros.learners.tabular.scorers import Read, Saved
from iatros.treatment.models.baseline import Baseline, BaselineParams
from iatros.treatment.models.scale import check_learnable
from iatros.treatment.models.similarity import Similarity
from iatros.treatment.responses.estimator import Newness
from iatros.treatment.responses.schema import Ask, Outcome, Responses

_CERTAIN = 1e-3


class KnnParams(BaselineParams):
    """Parameters of the neighbourhood model, with those of the baseline it stands on."""

    neighbours: Literal["treatments", "subjects"] = Field(
        default="treatments",
        description="compare treatments within the subject's own history, or subjects who had the treatment",
    )
    similarity: Likeness = Field(
        default="pearson-baseline",
        description="cosine of outcomes, correlation of outcomes, or correlation of what the baseline leaves",
    )
    shrinkage: float = Field(
        default=100.0, ge=0, le=1e6, description="responses in common at which a similarity is halved"
    )
    n_neighbours: int = Field(default=40, ge=1, le=10_000, description="most neighbours that are averaged")
    least_neighbours: int = Field(
        default=1, ge=1, le=10_000, description="fewest neighbours; with fewer, the answer is the baseline"
    )
    damping: float = Field(
        default=0.3,
        ge=0,
        le=1000,
        description="similarity of one more neighbour, who was as the baseline says",
    )


class Knn:
    """Neighbourhood model around a baseline (Koren 2010, "Factor in the neighbors", equation 3)."""

    name: ClassVar[str] = "knn"
    outcomes: ClassVar[tuple[Outcome, ...]] = ("continuous", "binary")
    Params: ClassVar[type[KnnParams]] = KnnParams

    def __init__(self, params: KnnParams | None = None) -> None:
        self.params = params or KnnParams()

    def fit(
        self, responses: Responses, *, newness: Newness, seed: int
    ) -> tuple[KnnPredictor, dict[str, Any]]:
        """The responses around their baseline; similarities are worked out when they are asked for."""
        check_learnable(Knn, responses)
        params = self.params
        baseline, notes = Baseline(params).fit(responses, newness=newness, seed=seed)
        similarity = Similarity.of(responses, params.similarity, params.shrinkage, baseline)
        fitted = KnnPredictor(
            similarity, params.neighbours, params.n_neighbours, params.least_neighbours, params.damping
        )
        return fitted, {**notes, "stores_responses": True}


@dataclass(frozen=True)
class KnnPredictor:
    """A similarity of treatments or subjects, and how many of the most similar count."""

    kind: ClassVar[str] = "knn"
    similarity: Similarity
    neighbours: Literal["treatments", "subjects"]
    n_neighbours: int
    least_neighbours: int
    damping: float

    def predict(self, ask: Ask) -> np.ndarray:
        """The answer for each pair (n,)."""
        scale = self.similarity.baseline.scale
        moved = self.similarity.baseline.predict(ask) + self.similarity.expected_left(
            ask,
            by_subjects=self.neighbours == "subjects",
            most=self.n_neighbours,
            least=self.least_neighbours,
            damping=self.damping,
        )
        edge = _CERTAIN if scale.outcome == "binary" else 0.0
        return np.clip(moved, scale.low + edge, scale.high - edge)

    def save(self) -> Saved:
        """The document, and its files."""
        document, files = self.similarity.save()
        own = {
            "kind": self.kind,
            "similarity": document,
            "neighbours": self.neighbours,
            "n_neighbours": self.n_neighbours,
            "least_neighbours": self.least_neighbours,
            "damping": self.damping,
        }
        return own, files

    @classmethod
    def load(cls, document: dict[str, Any], read: Read) -> KnnPredictor:
        """The predictor that `save` described."""
        return cls(
            Similarity.load(document["similarity"], read),
            document["neighbours"],
            int(document["n_neighbours"]),
            int(document["least_neighbours"]),
            float(document["damping"]),
        )
