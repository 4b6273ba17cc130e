"""Offsets and factors of subjects and treatments: biased factorisation, SVD++ and factors that are not negative."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from pydantic import Field

from iatros.core.arrays import pack_arrays, unpack_arrays
from iatros.learners.completion.factor_loops import Kind, Prior, Side
from iatros.learners.completion.factors import Factorisation, factorise
from iatros.learners.tabular.scorers import Read, Saved
from iatros.treatment.models.scale import Scale, check_learnable, history, looked_up, products, table_of
from iatros.treatment.responses.estimator import Newness, ResponseParams, ResponsePredictor
from iatros.treatment.responses.schema import Ask, Outcome, Responses

_ARRAYS = "arrays.safetensors"
OF_EXPOSURES = "exposures"
"""What `of` says in the document of factors that were learned from exposures; see `models/implicit.py`."""


class SvdParams(ResponseParams):
    """Parameters of the factorisation. How strongly factors are shrunk is learned."""

    n_factors: int = Field(
        default=64, ge=1, le=500, description="most factors; those without support are left out"
    )
    n_sweeps: int = Field(default=20, ge=1, le=1000, description="turns of subjects and treatments")


class SvdPlusPlusParams(SvdParams):
    """Parameters of the factorisation with what was given."""


class NmfParams(ResponseParams):
    """Parameters of the factorisation without negative factors."""

    n_factors: int = Field(default=8, ge=1, le=500, description="factors of each subject and treatment")
    n_sweeps: int = Field(default=50, ge=1, le=1000, description="turns of subjects and treatments")


class Svd:
    """The mean, two offsets and a product of factors (biased matrix factorisation; Koren, Bell and Volinsky 2009).

    Learned by variational Bayes, which chooses each factor's penalty (see `learners/completion/factors.py`): squared
    error where the outcome is continuous, cross-entropy where it is binary.
    """

    name: ClassVar[str] = "svd"
    outcomes: ClassVar[tuple[Outcome, ...]] = ("continuous", "binary")
    Params: ClassVar[type[SvdParams]] = SvdParams
    given: ClassVar[bool] = False

    def __init__(self, params: SvdParams | None = None) -> None:
        self.params = params or self.Params()

    def fit(
        self, responses: Responses, *, newness: Newness, seed: int
    ) -> tuple[FactorPredictor, dict[str, Any]]:
        """The factors; notes: how many there are, and the standard deviation of what they leave."""
        check_learnable(type(self), responses)
        scale = Scale.of(responses)
        params = self.params
        fitted = factorise(
            table_of(responses, scale.inward(responses.y)), params.n_factors, n_sweeps=params.n_sweeps, seed=seed,
            logistic=responses.outcome == "binary", given=self.given,
        )  # fmt: skip
        return FactorPredictor(scale, fitted), _notes(scale, fitted)


class SvdPlusPlus(Svd):
    """`svd`, where a subject's factors are expected where the treatments it was given put them (Koren 2008, SVD++).

    A new subject's past treatments count the same way.
    """

    name: ClassVar[str] = "svd++"
    Params: ClassVar[type[SvdPlusPlusParams]] = SvdPlusPlusParams
    given: ClassVar[bool] = True


class Nmf:
    """Outcomes above the lowest one (log-odds above a floor) as a sum of parts, none of them negative.

    Lee and Seung 1999, with missing cells; each factor is expected at its side's mean, how surely is learned.
    """

    name: ClassVar[str] = "nmf"
    outcomes: ClassVar[tuple[Outcome, ...]] = ("continuous", "binary")
    Params: ClassVar[type[NmfParams]] = NmfParams

    def __init__(self, params: NmfParams | None = None) -> None:
        self.params = params or NmfParams()

    def fit(
        self, responses: Responses, *, newness: Newness, seed: int
    ) -> tuple[FactorPredictor, dict[str, Any]]:
        """The factors; notes: how many there are, and the standard deviation of what they leave."""
        check_learnable(Nmf, responses)
        scale = Scale.of(responses)
        if responses.outcome == "continuous":
            scale = Scale("continuous", scale.low, scale.spread, scale.low, scale.high)
        fitted = factorise(
            table_of(responses, scale.inward(responses.y)), self.params.n_factors, n_sweeps=self.params.n_sweeps,
            seed=seed, logistic=responses.outcome == "binary", positive=True,
        )  # fmt: skip
        return FactorPredictor(scale, fitted), _notes(scale, fitted)


def _notes(scale: Scale, fitted: Factorisation) -> dict[str, Any]:
    notes: dict[str, Any] = {"n_factors": fitted.rows.shape[1] - 1}
    if scale.outcome == "continuous":
        notes["residual_sd"] = scale.spread / fitted.kind.noise**0.5
    return notes


@dataclass(frozen=True)
class FactorPredictor:
    """A factorisation of the responses, on a scale."""

    kind: ClassVar[str] = "factors"
    scale: Scale
    fitted: Factorisation

    def predict(self, ask: Ask) -> np.ndarray:
        """The answer for each pair (n,)."""
        treatments = looked_up(ask.treatments.known, self.fitted.columns.mean, self.fitted.new_column)
        product = products(self.subject_factors(ask), treatments, ask)
        return self.scale.outward(self.fitted.kind.level + product)

    def subject_factors(self, ask: Ask) -> np.ndarray:
        """Offset and factors (subjects, 1 + k) of each subject asked about; a new one's from its past responses."""
        subjects = ask.subjects
        found = looked_up(subjects.known, self.fitted.rows, 0.0)
        new = np.flatnonzero(subjects.known < 0)
        if len(new):
            past = history(subjects, self.scale.inward(subjects.y), len(self.fitted.columns.mean))
            found[new] = self.fitted.fold_in(past.take(new))
        return found

    def save(self) -> Saved:
        """The document, and its arrays."""
        fitted = self.fitted
        arrays = {
            "rows": fitted.rows,
            "columns": fitted.columns.mean,
            "column_variances": fitted.columns.variance,
            "expected": fitted.prior.mean,
            "precision": fitted.prior.precision,
            "new_column": fitted.new_column,
        }
        if fitted.given is not None:
            arrays["given"] = fitted.given
        document = {"kind": self.kind, "scale": self.scale.document(), "cells": fitted.kind._asdict()}
        return document, {_ARRAYS: pack_arrays(arrays)}

    @classmethod
    def load(cls, document: dict[str, Any], read: Read) -> ResponsePredictor:
        """The predictor that `save` described, or that of exposures, whose factors are of the same kind."""
        if document.get("of") == OF_EXPOSURES:
            from iatros.treatment.models.implicit import ExposurePredictor

            return ExposurePredictor.load(document, read)
        arrays = unpack_arrays(read(_ARRAYS))
        fitted = Factorisation(
            Kind(**document["cells"]),
            arrays["rows"],
            Side(arrays["columns"], arrays["column_variances"]),
            Prior(arrays["expected"], arrays["precision"]),
            arrays["new_column"],
            arrays.get("given"),
        )
        return cls(Scale(**document["scale"]), fitted)
