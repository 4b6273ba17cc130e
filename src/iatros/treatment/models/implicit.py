"""Factors of exposures, of which only is known that they happened, by the library `implicit`."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from iatros.core.arrays import pack_arrays, unpack_arrays
from iatros.learners.tabular.scorers import Read, Saved, sigmoid
from iatros.learners.threads import one_blas_thread
from iatros.treatment.models.factors import OF_EXPOSURES
from iatros.treatment.models.scale import check_learnable, looked_up, products
from iatros.treatment.responses.estimator import Newness, ResponseParams
from iatros.treatment.responses.schema import Ask, Outcome, Responses

_ARRAYS = "arrays.safetensors"
_NEWTON_STEPS = 20
_OTHERS = 50
"""Treatments not taken that each taken one of a new subject is compared with."""


class AlsParams(ResponseParams):
    """Parameters of alternating least squares."""

    n_factors: int = Field(default=32, ge=1, le=500, description="factors of each subject and treatment")
    n_sweeps: int = Field(default=20, ge=1, le=1000, description="turns of subjects and treatments")
    penalty: float = Field(
        default=2.0,
        gt=0,
        le=1e6,
        description="penalty on the squared factors, in parts of what exposures at random would need to leave none",
    )
    confidence: float = Field(
        default=1.0,
        gt=0,
        le=1e6,
        description="how much more an exposure counts than none, for each unit of weight",
    )


class BprParams(ResponseParams):
    """Parameters of ranking by pairs."""

    n_factors: int = Field(default=32, ge=1, le=500, description="factors of each subject and treatment")
    n_sweeps: int = Field(default=100, ge=1, le=10_000, description="passes over the exposures")
    learning_rate: float = Field(default=0.02, gt=0, le=1, description="size of a step")
    penalty: float = Field(
        default=0.1, gt=0, le=100, description="penalty on the squared factors, at each step"
    )


class Als:
    """Weighted least squares on all pairs, taken or not (Hu, Koren and Volinsky 2008)."""

    name: ClassVar[str] = "als"
    outcomes: ClassVar[tuple[Outcome, ...]] = ("implicit",)
    Params: ClassVar[type[AlsParams]] = AlsParams

    def __init__(self, params: AlsParams | None = None) -> None:
        self.params = params or AlsParams()

    def fit(
        self, responses: Responses, *, newness: Newness, seed: int
    ) -> tuple[ExposurePredictor, dict[str, Any]]:
        """The factors; notes: how many there are, and the penalty."""
        from implicit.cpu.als import AlternatingLeastSquares

        check_learnable(Als, responses)
        params = self.params
        penalty = params.penalty * _of_random_exposures(responses)
        model = AlternatingLeastSquares(
            factors=params.n_factors,
            regularization=penalty,
            alpha=1.0,
            iterations=params.n_sweeps,
            num_threads=1,  # its sums over all rows depend on the number of threads
            random_state=seed,
            use_cg=False,
        )
        _fit(model, responses, 1.0 + params.confidence * responses.y)
        fitted = _predictor("als", model, responses, penalty, params.confidence)
        return fitted, {"n_factors": params.n_factors, "penalty": penalty}


class Bpr:
    """Factors by which what a subject took ranks above what it did not take (Rendle and others 2009)."""

    name: ClassVar[str] = "bpr"
    outcomes: ClassVar[tuple[Outcome, ...]] = ("implicit",)
    Params: ClassVar[type[BprParams]] = BprParams

    def __init__(self, params: BprParams | None = None) -> None:
        self.params = params or BprParams()

    def fit(
        self, responses: Responses, *, newness: Newness, seed: int
    ) -> tuple[ExposurePredictor, dict[str, Any]]:
        """The factors; notes: how many there are."""
        from implicit.cpu.bpr import BayesianPersonalizedRanking

        check_learnable(Bpr, responses)
        params = self.params
        model = BayesianPersonalizedRanking(
            factors=params.n_factors,
            learning_rate=params.learning_rate,
            regularization=params.penalty,
            iterations=params.n_sweeps,
            num_threads=1,  # threads race for the factors
            random_state=seed,
        )
        _fit(model, responses, np.ones(len(responses)))
        return _predictor("bpr", model, responses, params.penalty, 1.0), {"n_factors": params.n_factors}


def _of_random_exposures(responses: Responses) -> float:
    """The largest singular value to expect of as many exposures as there are, taken at random, less their mean.

    Least squares with a penalty on both factors takes that penalty off each singular value (Srebro and others 2005), so
    that with this one nothing is learned from chance.
    """
    s, t = (len(np.unique(part)) for part in (responses.subject, responses.treatment))
    share = min(len(responses) / (s * t), 1.0)
    return float(np.sqrt(max(share * (1.0 - share), 1e-6)) * (np.sqrt(s) + np.sqrt(t)))


def _fit(model: Any, responses: Responses, weight: np.ndarray) -> None:
    from scipy.sparse import csr_matrix

    cells = (weight.astype(np.float32), (responses.subject, responses.treatment))
    table = csr_matrix(cells, shape=responses.shape)
    with one_blas_thread(), warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # it warns about BLAS threads, which are one here
        model.fit(table, show_progress=False)


def _predictor(
    rule: Literal["als", "bpr"], model: Any, responses: Responses, penalty: float, confidence: float
) -> ExposurePredictor:
    """The factors behind a column of zeros, where others have the offset; means are over those with exposures."""
    subjects, treatments = (
        np.column_stack([np.zeros(len(factors), np.float32), np.asarray(factors)])
        for factors in (model.user_factors, model.item_factors)
    )
    some = [np.unique(part) for part in (responses.subject, responses.treatment)]
    mean_subject, mean_treatment = subjects[some[0]].mean(axis=0), treatments[some[1]].mean(axis=0)
    silent = np.ones(len(subjects), bool)
    silent[some[0]] = False
    subjects[silent] = mean_subject
    unused = np.ones(len(treatments), bool)
    unused[some[1]] = False
    treatments[unused] = mean_treatment
    return ExposurePredictor(rule, subjects, treatments, mean_subject, mean_treatment, penalty, confidence)


@dataclass(frozen=True)
class ExposurePredictor:
    """Factors (members, 1 + k) of subjects and treatments; the first column is 0.

    Of whom nothing is known the mean factors are taken, so that treatments are ranked as for the mean subject.
    """

    kind: ClassVar[str] = "factors"
    rule: Literal["als", "bpr"]
    subjects: np.ndarray
    treatments: np.ndarray
    mean_subject: np.ndarray
    mean_treatment: np.ndarray
    penalty: float
    confidence: float

    def predict(self, ask: Ask) -> np.ndarray:
        """The score of each pair (n,): more is likelier; scores compare within a subject."""
        treatments = looked_up(ask.treatments.known, self.treatments, self.mean_treatment)
        return products(self.subject_factors(ask), treatments, ask)

    def subject_factors(self, ask: Ask) -> np.ndarray:
        """The factors of each subject (subjects, 1 + k); a new one's from its past exposures."""
        subjects = ask.subjects
        found = looked_up(subjects.known, self.subjects, self.mean_subject)
        fold_in = self._by_squares() if self.rule == "als" else self._by_ranking
        for k in np.flatnonzero((subjects.known < 0) & (np.diff(subjects.start) > 0)):
            past = slice(subjects.start[k], subjects.start[k + 1])
            found[k, 1:] = fold_in(subjects.treatment[past], subjects.y[past])
        return found

    def _by_squares(self) -> Any:
        """The exact least squares of a subject's row on the treatments' factors (Hu and others 2008, equation 4)."""
        Q = self.treatments[:, 1:].astype(np.float64)
        gram = Q.T @ Q + self.penalty * np.eye(Q.shape[1])

        def solve(taken: np.ndarray, weight: np.ndarray) -> np.ndarray:
            own, confident = Q[taken], 1.0 + self.confidence * weight
            solved: np.ndarray = np.linalg.solve(
                gram + own.T @ ((confident - 1.0)[:, None] * own), own.T @ confident
            )
            return solved

        return solve

    def _by_ranking(self, taken: np.ndarray, weight: np.ndarray) -> np.ndarray:
        """The ranking loss at its least with the treatments' factors as they are, by Newton's method.

        Each treatment taken is compared with the same others, spread evenly over those not taken. The last factor of
        a subject is 1: its product is the treatment's own offset.
        """
        Q = self.treatments[:, 1:].astype(np.float64)
        others = np.setdiff1d(np.arange(len(Q)), taken)
        if not len(others):
            return self.mean_subject[1:].astype(np.float64)
        others = others[
            np.unique(np.linspace(0, len(others) - 1, min(_OTHERS, len(others))).round().astype(int))
        ]
        apart = (Q[taken][:, None, :] - Q[others][None, :, :]).reshape(-1, Q.shape[1])
        found = self.mean_subject[1:].astype(np.float64)
        found[-1] = 1.0
        free, fixed = apart[:, :-1], apart[:, -1]
        penalty = self.penalty * len(apart) / len(others)
        for _ in range(_NEWTON_STEPS):
            wrong = sigmoid(-(free @ found[:-1] + fixed))
            weights = np.maximum(wrong * (1.0 - wrong), 0.05) / len(others)
            slope = free.T @ wrong / len(others) - penalty * found[:-1]
            curve = free.T @ (weights[:, None] * free) + penalty * np.eye(free.shape[1])
            found[:-1] += np.linalg.solve(curve, slope)
        return found

    def save(self) -> Saved:
        """The document, and its arrays."""
        document = {
            "kind": self.kind,
            "of": OF_EXPOSURES,
            "rule": self.rule,
            "penalty": self.penalty,
            "confidence": self.confidence,
        }
        arrays = {
            "subjects": self.subjects,
            "treatments": self.treatments,
            "mean_subject": self.mean_subject,
            "mean_treatment": self.mean_treatment,
        }
        return document, {_ARRAYS: pack_arrays(arrays)}

    @classmethod
    def load(cls, document: dict[str, Any], read: Read) -> ExposurePredictor:
        """The predictor that `save` described."""
        arrays = unpack_arrays(read(_ARRAYS))
        return cls(
            document["rule"],
            arrays["subjects"],
            arrays["treatments"],
            arrays["mean_subject"],
            arrays["mean_treatment"],
            float(document["penalty"]),
            float(document["confidence"]),
        )
