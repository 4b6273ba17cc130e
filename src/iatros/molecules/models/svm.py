"""Support vector machines: the Tanimoto kernel of fingerprints, or a classical kernel of scaled features.

A probability is that of a machine averaged over five inner fits, calibrated by Platt's method on the compounds that
each of them had not seen. All machines share their training compounds, so the average is as small as one of them.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import Field, model_validator

from iatros.core.arrays import pack_arrays, unpack_arrays
from iatros.learners.compounds.compounds import Compounds
from iatros.learners.compounds.fingerprints import BIT_KINDS, COUNT_KINDS, Fingerprint, Kind
from iatros.learners.compounds.tanimoto import count_similarities, similarities
from iatros.learners.tabular.scorers import KernelScorer, LinearScorer, Link, Read, Saved, Scorer, sigmoid
from iatros.molecules.assay import Assay
from iatros.molecules.models.censored import settle
from iatros.molecules.models.featured import (
    FeaturedPredictor,
    FeatureParams,
    check_learnable,
    fit_inputs,
    outcome_scale,
    prepare,
)
from iatros.molecules.models.hiding import each_atom_hidden

_ARRAYS = "arrays.safetensors"
_BLOCK = 2_000_000  # kernel values held at once: 16 MB
_FOLDS = 5
_OF_A_CLASS = 20


class SvmParams(FeatureParams):
    """Parameters of the support vector machine."""

    features: tuple[Kind, ...] = Field(
        default=("morgan-counts",),
        min_length=1,
        description="kinds of fingerprints and descriptors; the Tanimoto kernel takes fingerprints, of several their "
        "mean similarity",
    )
    kernel: Literal["tanimoto", "rbf", "linear", "poly", "sigmoid"] = Field(
        default="tanimoto", description="what makes two compounds alike"
    )
    C: float = Field(
        default=3.0, gt=0, le=1e4, description="price of an error, in standard deviations of a value"
    )
    epsilon: float = Field(
        default=0.1, ge=0, le=2, description="error that costs nothing, in standard deviations of a value"
    )
    gamma: float | None = Field(
        default=None,
        gt=0,
        le=1e3,
        description="how fast a compound's influence fades (rbf) or grows (poly, sigmoid); where not given, "
        "1 / (features x variance)",
    )
    degree: int = Field(default=3, ge=1, le=6, description="degree of the poly kernel")
    coef0: float | None = Field(
        default=None,
        ge=-10,
        le=10,
        description="constant of poly and sigmoid kernels; where not given, 1 for poly, 0 for sigmoid",
    )
    class_weight: Literal["none", "balanced"] = Field(
        default="balanced",
        description="balanced prices rare classes higher; probabilities are calibrated either way",
    )
    max_rows: int = Field(
        default=8000,
        ge=100,
        le=30_000,
        description="compounds of an endpoint at most; more are drawn from, by class",
    )

    @model_validator(mode="after")
    def _comparable(self) -> SvmParams:
        others = [kind for kind in self.features if kind not in (*BIT_KINDS, *COUNT_KINDS)]
        if self.kernel == "tanimoto" and others:
            raise ValueError(
                f"the Tanimoto kernel compares fingerprints, not {', '.join(others)}; choose another kernel"
            )
        return self


def _values(compounds: Compounds, fingerprints: tuple[Fingerprint, ...]) -> list[np.ndarray]:
    return [compounds.values(one) for one in fingerprints]


def _mean_similarity(
    a: list[np.ndarray], b: list[np.ndarray], fingerprints: tuple[Fingerprint, ...]
) -> np.ndarray:
    parts = [
        (similarities if one.kind in BIT_KINDS else count_similarities)(left, right)
        for left, right, one in zip(a, b, fingerprints, strict=True)
    ]
    return np.asarray(sum(parts) / len(parts))


@dataclass(frozen=True)
class SvmPredictor:
    """Tanimoto machines: `(similarity to the support dual' + intercept) * slope + offset`, its sigmoid where `binary`.

    `support` has, for each fingerprint, the values of s training compounds; `dual` is (k, s), `intercept`, `slope` and
    `offset` are (k,).
    """

    kind: ClassVar[str] = "svm"
    fingerprints: tuple[Fingerprint, ...]
    support: list[np.ndarray]
    dual: np.ndarray
    intercept: np.ndarray
    slope: np.ndarray
    offset: np.ndarray
    binary: bool

    def predict(self, compounds: Compounds) -> np.ndarray:
        """(n, k), see `CompoundPredictor`."""
        values = _values(compounds, self.fingerprints)
        n, s = len(compounds), self.dual.shape[1]
        decision = np.empty((n, len(self.dual)))
        rows = max(1, _BLOCK // max(1, s))
        for low in range(0, n if s else 0, rows):
            part = [one[low : low + rows] for one in values]
            decision[low : low + rows] = _mean_similarity(part, self.support, self.fingerprints) @ self.dual.T
        margin = (decision + self.intercept) * self.slope + self.offset
        return sigmoid(margin) if self.binary else margin

    def hidden(self, smiles: str) -> np.ndarray:
        """(atoms, k); what hiding means is told in `hiding`."""
        return self.predict(each_atom_hidden(smiles))

    def save(self) -> Saved:
        """The document, and its arrays; counts without their zeros."""
        names = ("dual", "intercept", "slope", "offset")
        arrays = {name: getattr(self, name) for name in names}
        for index, (values, one) in enumerate(zip(self.support, self.fingerprints, strict=True)):
            if one.kind in BIT_KINDS:
                arrays[f"support-{index}"] = values
                continue
            row, column = np.nonzero(values)
            arrays[f"support-{index}.row"] = row.astype(np.int32)
            arrays[f"support-{index}.column"] = column.astype(np.uint16)
            arrays[f"support-{index}.count"] = values[row, column]
        document = {
            "kind": self.kind,
            "binary": self.binary,
            "fingerprints": [asdict(one) for one in self.fingerprints],
        }
        return document, {_ARRAYS: pack_arrays(arrays)}

    @classmethod
    def load(cls, document: dict[str, Any], read: Read) -> SvmPredictor:
        """The predictor that `save` described."""
        arrays = unpack_arrays(read(_ARRAYS))
        fingerprints = tuple(Fingerprint(**each) for each in document["fingerprints"])
        support = []
        for index, one in enumerate(fingerprints):
            name = f"support-{index}"
            if one.kind in BIT_KINDS:
                support.append(arrays[name])
                continue
            values = np.zeros((arrays["dual"].shape[1], one.n_bits), dtype=np.uint16)
            values[arrays[f"{name}.row"], arrays[f"{name}.column"]] = arrays[f"{name}.count"]
            support.append(values)
        numbers = {name: arrays[name] for name in ("dual", "intercept", "slope", "offset")}
        return cls(fingerprints, support, binary=document["binary"], **numbers)


@dataclass(frozen=True)
class _Machine:
    """A trained machine of one endpoint: `rows` of the assay, their `dual` coefficients, and its calibration."""

    rows: np.ndarray
    dual: np.ndarray
    intercept: float
    slope: float = 1.0
    offset: float = 0.0

    def only_support(self) -> _Machine:
        """Without the compounds that do not count."""
        used = self.dual != 0.0
        return replace(self, rows=self.rows[used], dual=self.dual[used])


class Svm:
    """Support vector machine for classes and for values, one for each endpoint."""

    name: ClassVar[str] = "svm"
    Params: ClassVar[type[SvmParams]] = SvmParams

    def __init__(self, params: SvmParams | None = None) -> None:
        self.params = params or SvmParams()

    def prepare(self, compounds: Compounds) -> None:
        """Compute the features that `fit` needs."""
        prepare(compounds, self.params.fingerprints())

    def fit(self, assay: Assay, *, seed: int) -> tuple[SvmPredictor | FeaturedPredictor, dict[str, Any]]:
        """The machines; notes: kernel, C, and for each endpoint compounds used and support vectors.

        Values known only as bounds are settled by `censored.settle`.
        """
        from iatros.learners.threads import one_blas_thread

        check_learnable(assay)
        with one_blas_thread():
            fitted = (
                self._tanimoto(assay, seed)
                if self.params.kernel == "tanimoto"
                else self._classical(assay, seed)
            )
        predictor, machines, more = fitted
        notes = {
            "kernel": self.params.kernel,
            "C": self.params.C,
            "n_rows": [len(machine.rows) for machine in machines],
            "n_support": [len(machine.only_support().rows) for machine in machines],
        }
        return predictor, {**notes, **more}

    def _tanimoto(self, assay: Assay, seed: int) -> tuple[SvmPredictor, list[_Machine], dict[str, Any]]:
        fingerprints = self.params.fingerprints()

        def kernel(rows: np.ndarray) -> np.ndarray:
            own = _values(assay.compounds.take(rows), fingerprints)
            return _mean_similarity(own, own, fingerprints)

        machines = self._machines(assay, kernel, seed)
        support = np.unique(np.concatenate([each.only_support().rows for each in machines]))
        dual = np.zeros((len(machines), len(support)))
        for line, machine in zip(dual, machines, strict=True):
            used = machine.only_support()
            line[np.searchsorted(support, used.rows)] = used.dual
        numbers = {
            name: np.array([getattr(each, name) for each in machines])
            for name in ("intercept", "slope", "offset")
        }
        values = _values(assay.compounds.take(support), fingerprints)
        predictor = SvmPredictor(fingerprints, values, dual, binary=assay.task == "binary", **numbers)
        return predictor, machines, {}

    def _classical(self, assay: Assay, seed: int) -> tuple[FeaturedPredictor, list[_Machine], dict[str, Any]]:
        from sklearn.metrics.pairwise import pairwise_kernels

        inputs, X = fit_inputs(assay.compounds, self.params.fingerprints(), scale=True)
        X = X.astype(np.float64)
        numbers = self._numbers(X)

        def kernel(rows: np.ndarray) -> np.ndarray:
            return np.asarray(
                pairwise_kernels(X[rows], metric=self.params.kernel, filter_params=True, **numbers)
            )

        machines = self._machines(assay, kernel, seed)
        link: Link = "sigmoid" if assay.task == "binary" else "identity"
        scorers = tuple(self._scorer(machine, X, numbers, link) for machine in machines)
        k = len(machines)
        gamma = {"gamma": numbers["gamma"]} if self.params.kernel != "linear" else {}
        return FeaturedPredictor(inputs, scorers, np.zeros(k), np.ones(k)), machines, gamma

    def _numbers(self, X: np.ndarray) -> dict[str, Any]:
        """gamma, degree and coef0 with what was not given settled."""
        params = self.params
        usual = 1.0 if params.kernel == "poly" else 0.0
        return {
            "gamma": params.gamma if params.gamma is not None else 1.0 / (X.shape[1] * float(X.var())),
            "degree": params.degree,
            "coef0": params.coef0 if params.coef0 is not None else usual,
        }

    def _scorer(self, machine: _Machine, X: np.ndarray, numbers: dict[str, Any], link: Link) -> Scorer:
        """A machine with a classical kernel as stored: a linear one as its weights."""
        used = machine.only_support()
        support = X[used.rows]
        intercept, slope, offset = (np.array([each]) for each in (used.intercept, used.slope, used.offset))
        kernel = self.params.kernel
        if kernel == "linear":
            return LinearScorer((used.dual @ support)[None, :] * slope, intercept * slope + offset, link)
        if kernel == "tanimoto":
            raise ValueError("the Tanimoto kernel is stored by SvmPredictor")
        # the features are float32 numbers, so nothing is lost, and half of the bytes are saved
        small = support.astype(np.float32)
        return KernelScorer(kernel, small, used.dual[None, :], intercept, slope, offset, link, **numbers)

    def _machines(self, assay: Assay, kernel: Any, seed: int) -> list[_Machine]:
        from iatros.learners.tabular.estimators.pipeline import derived_seed

        machines = []
        for column in range(len(assay.endpoints)):
            own = derived_seed(seed, column)
            rows = _drawn_rows(assay, column, self.params.max_rows, own)
            one = replace(
                assay.take(rows),
                y=assay.y[rows][:, [column]],
                bound=assay.bound[rows][:, [column]],
                endpoints=(assay.endpoints[column],),
            )
            fit = self._calibrated if assay.task == "binary" else self._valued
            machines.append(fit(one, rows, kernel(rows), own))
        return machines

    def _valued(self, assay: Assay, rows: np.ndarray, K: np.ndarray, seed: int) -> _Machine:
        """The regression machine on the standardised values; slope and offset lead back to their unit."""
        centre, spread = (float(each[0]) for each in outcome_scale(assay))
        y = (assay.y[:, 0] - centre) / spread

        def others(inside: np.ndarray, outside: np.ndarray, known: np.ndarray) -> np.ndarray:
            dual, intercept = self._regression(K[np.ix_(inside, inside)], known)
            return K[np.ix_(outside, inside)] @ dual + intercept

        y = settle(y, assay.bound[:, 0], assay.groups, others, seed=seed)
        dual, intercept = self._regression(K, y)
        return _Machine(rows, dual, intercept, spread, centre)

    def _regression(self, K: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, float]:
        from sklearn.svm import SVR

        model = SVR(kernel="precomputed", C=self.params.C, epsilon=self.params.epsilon).fit(K, y)
        return _dual(model, len(y)), float(model.intercept_[0])

    def _calibrated(self, assay: Assay, rows: np.ndarray, K: np.ndarray, seed: int) -> _Machine:
        """The mean of one machine for each inner fold, trained on the others, and its calibration.

        What is calibrated is what predicts: a machine trained on all rows can have another scale than those whose
        decisions Platt's method saw.
        """
        from sklearn.svm import SVC

        from iatros.learners.tabular.estimators.svm import fit_platt

        truth = assay.y[:, 0] == 1.0
        fold = _inner_folds(assay, seed)
        names = np.unique(fold)
        dual, intercept, decision = np.zeros(len(rows)), 0.0, np.zeros(len(rows))
        weight = "balanced" if self.params.class_weight == "balanced" else None
        for name in names:
            inside, outside = np.flatnonzero(fold != name), np.flatnonzero(fold == name)
            model = SVC(kernel="precomputed", C=self.params.C, class_weight=weight)
            model.fit(K[np.ix_(inside, inside)], truth[inside])
            own = _dual(model, len(inside))
            decision[outside] = K[np.ix_(outside, inside)] @ own + float(model.intercept_[0])
            dual[inside] += own / len(names)
            intercept += float(model.intercept_[0]) / len(names)
        slope, offset = fit_platt(decision, truth)
        return _Machine(rows, dual, intercept, float(slope), float(offset))


def _dual(model: Any, n: int) -> np.ndarray:
    """The coefficient of each of `n` training rows, 0 where it does not count."""
    dual = np.zeros(n)
    dual[model.support_] = np.asarray(model.dual_coef_)[0]
    return dual


def _inner_folds(assay: Assay, seed: int) -> np.ndarray:
    """Folds that keep groups together; where a class lies in one group only, folds of compounds."""
    from iatros.molecules.models.crossfit import grouped_folds

    least = min(len(np.unique(assay.groups[assay.y[:, 0] == label])) for label in (0.0, 1.0))
    grouped = assay if least > 1 else replace(assay, groups=np.arange(len(assay)))
    return grouped_folds(grouped, min(_FOLDS, len(np.unique(grouped.groups))), seed)


def _drawn_rows(assay: Assay, column: int, most: int, seed: int) -> np.ndarray:
    """At most `most` of the rows that were measured; classes in their shares, but 20 of each where it has them."""
    rows = np.flatnonzero(assay.measured[:, column])
    if len(rows) <= most:
        return rows
    rng = np.random.default_rng(seed)
    if assay.task != "binary":
        return np.sort(rng.choice(rows, most, replace=False))
    parts = []
    for label in (0.0, 1.0):
        members = rows[assay.y[rows, column] == label]
        share = max(_OF_A_CLASS, round(most * len(members) / len(rows)))
        parts.append(rng.choice(members, min(len(members), share), replace=False))
    return np.sort(np.concatenate(parts))
