"""Kernel regression on subjects times treatments: features of both, and profiles of what they responded like.

Continuous and binary outcomes are regressed where they were measured, exposures as a whole table of 0 and 1. The core
is `learners.completion`, which drug-target affinity shares.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any, ClassVar

import numpy as np
from pydantic import Field

from iatros.core.arrays import pack_arrays, unpack_arrays
from iatros.core.calibration import Calibrator, fit_calibrator
from iatros.core.errors import FitError, LimitError
from iatros.core.task import Target
from iatros.learners.completion.regression import (
    History,
    Mix,
    Plan,
    Regressed,
    Side,
    Table,
    fill,
)
from iatros.learners.tabular.scorers import Read, Saved, sigmoid
from iatros.learners.threads import one_blas_thread
from iatros.treatment.models.kernel_exposures import (
    RIDGES_OF_EXPOSURES,
    Both,
    choose_ridge_of_exposures,
)
from iatros.treatment.models.kernel_features import FeatureKernel
from iatros.treatment.models.kernel_planning import (
    PENALTIES,
    RIDGES,
    Cells,
    Hidden,
    Told,
    added,
    choose_penalty,
    choose_ridge,
    placed,
    weigh_features,
)
from iatros.treatment.responses.estimator import Newness, ResponseParams
from iatros.treatment.responses.schema import Ask, Features, Outcome, Responses, Subjects

_ARRAYS = "arrays.safetensors"
MAX_SIDE = 20_000
MAX_CELLS = 40_000_000
"""Largest table: kernels of one side are square, and the table has no gaps in memory."""
_BLOCK = 4_000_000  # cells answered at once


Fitted = tuple[tuple[Told, ...], Cells, Hidden | None]


class KernelParams(ResponseParams):
    """Parameters of the kernels and of the regression."""

    ridge: float | None = Field(
        default=None, gt=0, le=1e4,
        description="penalty on the size of the regression; none: chosen on what is hidden",
    )  # fmt: skip
    profile_weight: float = Field(
        default=0.75, ge=0, le=1,
        description="share of the profiles of responses in the kernels, beside the features",
    )  # fmt: skip
    profile_width: float = Field(
        default=0.5, gt=0, le=100, description="factor of the squared distance of profiles over its mean"
    )
    smoothing: float = Field(
        default=0.15, ge=0, le=1,
        description="of exposures: share of what similar subjects and treatments have in what is learned from",
    )  # fmt: skip
    n_factors: int = Field(
        default=30, ge=1, le=500, description="factors by which gaps are filled before profiles are compared"
    )
    penalty: float | None = Field(
        default=None, gt=0, le=1e4,
        description="penalty on the squared factors, and on those of new subjects; none: chosen on what is hidden",
    )  # fmt: skip


class Kernel:
    """A regression on the product of both kernels; what is chosen, is chosen for what the predictions are for."""

    name: ClassVar[str] = "kernel"
    outcomes: ClassVar[tuple[Outcome, ...]] = ("continuous", "binary", "implicit")
    Params: ClassVar[type[KernelParams]] = KernelParams

    def __init__(self, params: KernelParams | None = None) -> None:
        self.params = params or KernelParams()

    def fit(
        self, responses: Responses, *, newness: Newness, seed: int
    ) -> tuple[KernelPredictor, dict[str, Any]]:
        """The regression of all responses; LimitError where the table is too large, FitError where it tells nothing.

        Notes: how many subjects and treatments have a response, the share of the table, the ridge, the errors that
        chose it, and the weights of features. Subjects and treatments without a response are treated as new, but of
        exposures only on the side that will be new.
        """
        with one_blas_thread():
            cells, places = _cells(responses, newness)
            plan = self._plan(cells, responses.outcome, newness)
            if self.params.penalty is None and responses.outcome != "implicit":
                plan = replace(plan, penalty=choose_penalty(cells, plan, seed=seed))
            notes: dict[str, Any] = {
                "n_subjects": cells.values.shape[0],
                "n_treatments": cells.values.shape[1],
                "share_measured": float(cells.known.mean()),
            }
            if responses.outcome == "implicit":
                fitted = self._exposures(cells, plan, newness, notes, seed)
            elif newness in ("subjects", "treatments"):
                fitted = self._new_side(cells, plan, newness, notes, seed)
            else:
                fitted = self._pairs(cells, plan, responses.outcome, notes, seed)
        told, cells, hidden = fitted
        plan = told[0].regressed.plan
        calibrator = _calibrator(hidden) if responses.outcome == "binary" and hidden is not None else None
        notes["ridge"] = plan.ridge
        notes["penalty"] = None if responses.outcome == "implicit" else plan.penalty
        notes["features"] = {
            side: {f"{part.block.name}, {part.form}": round(part.weight, 4) for part in kernel.parts}
            for side, kernel, mix in (
                ("subjects", cells.subjects, plan.rows),
                ("treatments", cells.treatments, plan.columns),
            )
            if kernel is not None and mix.features > 0.0
        }
        return KernelPredictor(told, cells.subjects, cells.treatments, *places, calibrator), notes

    def _plan(self, cells: Cells, outcome: Outcome, newness: Newness) -> Plan:
        params = self.params
        plan = Plan(
            self._mix(cells.subjects),
            self._mix(cells.treatments),
            width=params.profile_width,
            smoothing=params.smoothing,
            n_factors=params.n_factors,
            penalty=params.penalty or PENALTIES[-1],
        )
        if outcome == "implicit":
            return replace(plan, exposures=True)
        if newness == "subjects":
            return replace(plan, rows=_of_new(cells.subjects), columns=_ALONE, row_offsets=False, whole=True)
        if newness == "treatments":
            return replace(
                plan, rows=_ALONE, columns=_of_new(cells.treatments), column_offsets=False, whole=True
            )
        return replace(
            plan,
            rows=replace(plan.rows, itself=_ITSELF + _lacking(cells.subjects)),
            columns=replace(plan.columns, itself=_ITSELF + _lacking(cells.treatments)),
        )

    def _mix(self, kernel: FeatureKernel | None) -> Mix:
        profiles = 1.0 if kernel is None else self.params.profile_weight
        return Mix(features=1.0 - profiles, gaussian=profiles)

    def _exposures(
        self, cells: Cells, plan: Plan, newness: Newness, notes: dict[str, Any], seed: int
    ) -> Fitted:
        ridge = self.params.ridge
        if ridge is None:
            ridge, notes["hidden_ranking"] = choose_ridge_of_exposures(
                cells, plan, RIDGES_OF_EXPOSURES, newness, seed=seed
            )
        return Both.of(cells.values, *cells.kernels(), plan).regress(ridge), cells, None

    def _pairs(self, cells: Cells, plan: Plan, outcome: Outcome, notes: dict[str, Any], seed: int) -> Fitted:
        ridges = RIDGES if self.params.ridge is None else (self.params.ridge,)
        ridge, hidden = ridges[0], None
        if len(ridges) > 1 or outcome == "binary":
            ridge, hidden, notes["hidden_mse"] = choose_ridge(
                cells, plan, ridges, by_value=outcome == "binary", seed=seed
            )
        filled = fill(cells.values, cells.known, plan, seed=seed)
        return (Told(Table(filled, *cells.kernels(), plan).regress(ridge)),), cells, hidden

    def _new_side(
        self, cells: Cells, plan: Plan, newness: Newness, notes: dict[str, Any], seed: int
    ) -> Fitted:
        """Features of the side that will be new, each of the other side's on its own."""
        filled = fill(cells.values, cells.known, plan, seed=seed)
        subjects = newness == "subjects"
        kernel = cells.subjects if subjects else cells.treatments
        residual = filled.profiles if subjects else filled.profiles.T
        ridge, left = 1.0, residual
        if kernel is not None:
            kernel, ridge, left = weigh_features(kernel, residual)
            cells = replace(cells, subjects=kernel) if subjects else replace(cells, treatments=kernel)
        left = left if subjects else left.T
        told = filled.row_offsets[:, None] + filled.column_offsets[None, :] + filled.profiles - left
        at = np.nonzero(cells.known)
        hidden = Hidden((filled.mean + filled.scale * told)[at], cells.values[at])
        notes["left_out_mse"] = float(((hidden.prediction - hidden.y) ** 2).mean())
        table = Table(filled, *cells.kernels(), plan)
        return (Told(table.regress(self.params.ridge or ridge)),), cells, hidden


_ITSELF = 0.1
_ALONE = Mix(itself=1.0)
"""Each of a side on its own: what one responded like tells nothing of another."""


def _of_new(kernel: FeatureKernel | None) -> Mix:
    """The side that will be new has features, or nothing that can be told of it."""
    return _ALONE if kernel is None else Mix(features=1.0)


def _cells(responses: Responses, newness: Newness) -> tuple[Cells, tuple[np.ndarray, np.ndarray]]:
    """The table of those that have a response, and the place of each name in it, -1 of one without.

    Of exposures the others are in it too, as rows and columns of zeros, but on the side that will be new.
    """
    s, t = responses.shape
    rows, columns = np.unique(responses.subject), np.unique(responses.treatment)
    if responses.outcome == "implicit":
        rows = rows if newness == "subjects" else np.arange(s)
        columns = columns if newness == "treatments" else np.arange(t)
    n, m = len(rows), len(columns)
    if max(n, m) > MAX_SIDE or n * m > MAX_CELLS:
        raise LimitError(
            f"a table of {n:,} subjects and {m:,} treatments is larger than {MAX_SIDE:,} a side or {MAX_CELLS:,} cells",
            hint="use svd or als, which keep no table",
        )
    if min(n, m) < 2:
        raise FitError(f"kernels need two subjects and two treatments with responses; there are {n} and {m}")
    places = placed(s, rows), placed(t, columns)
    at = places[0][responses.subject], places[1][responses.treatment]
    values, known = np.zeros((n, m)), np.zeros((n, m))
    values[at] = responses.y > 0.0 if responses.outcome == "implicit" else responses.y
    known[at] = 1.0
    kernels = [
        None if features is None or not features.blocks else FeatureKernel.of(features, active)
        for features, active in ((responses.of_subjects, rows), (responses.of_treatments, columns))
    ]
    return Cells(values, known, *kernels), places


def _lacking(kernel: FeatureKernel | None) -> float:
    """What the diagonal of given similarities lacks: conjugate gradients need a kernel without negative eigenvalues."""
    if kernel is None or all(part.form != "given" for part in kernel.parts):
        return 0.0
    return max(0.0, -float(np.linalg.eigvalsh(kernel.known())[0]))


def _calibrator(hidden: Hidden) -> Calibrator:
    """From regressed zeros and ones to probabilities, learned on responses that were hidden."""
    target = Target("outcome", "binary", ("0", "1"))
    return fit_calibrator("slope", target, hidden.y.astype(np.int64), _squeezed(hidden.prediction))


def _squeezed(score: np.ndarray) -> np.ndarray:
    """Scores about 0 and 1 as probabilities, one half staying where it is."""
    return np.clip(sigmoid(4.0 * (score - 0.5)), 1e-6, 1.0 - 1e-6)


@dataclass(frozen=True)
class KernelPredictor:
    """The regressed tables, the kernels of features, and the place of each name in the table, -1 of one not in it."""

    kind: ClassVar[str] = "kernel"
    told: tuple[Told, ...]
    subjects: FeatureKernel | None
    treatments: FeatureKernel | None
    subject_places: np.ndarray
    treatment_places: np.ndarray
    calibrator: Calibrator | None = None

    def predict(self, ask: Ask) -> np.ndarray:
        """The answer for each pair (n,)."""
        answer = np.empty(len(ask))
        columns, column = np.unique(ask.treatment, return_inverse=True)
        known = self.treatment_places
        of_columns = _side(self.treatments, ask.treatments.known, ask.treatments.features, known, columns)
        every = self._every_treatment() if len(ask.subjects.treatment) else None
        rows, row = np.unique(ask.subject, return_inverse=True)
        width = len(columns) + sum(self._shape)
        step = max(1, _BLOCK // max(width, 1))
        for start in range(0, len(rows), step):
            asked = rows[start : start + step]
            of_rows = _side(
                self.subjects, ask.subjects.known, ask.subjects.features, self.subject_places, asked
            )
            of_rows = replace(of_rows, history=self._history(ask.subjects, asked))
            table = added(self.told, of_rows, of_columns, every)
            inside = np.flatnonzero((row >= start) & (row < start + step))
            answer[inside] = table[row[inside] - start, column[inside]]
        return answer if self.calibrator is None else self.calibrator.apply(_squeezed(answer))

    @property
    def _shape(self) -> tuple[int, ...]:
        return self.told[0].regressed.profiles.shape

    def _every_treatment(self) -> Side:
        places = np.arange(self._shape[1])
        return Side(places, None if self.treatments is None else self.treatments.known())

    def _history(self, subjects: Subjects, asked: np.ndarray) -> History | None:
        """Past responses of the asked subjects to treatments of the table."""
        parts = [np.arange(subjects.start[one], subjects.start[one + 1]) for one in asked]
        kept = [part[self.treatment_places[subjects.treatment[part]] >= 0] for part in parts]
        at = np.concatenate([*kept, np.empty(0, dtype=np.int64)]).astype(np.int64)
        if len(at) == 0:
            return None
        start = np.concatenate([[0], np.cumsum([len(part) for part in kept])]).astype(np.int64)
        return History(start, self.treatment_places[subjects.treatment[at]], subjects.y[at])

    def save(self) -> Saved:
        """The document, and the arrays."""
        arrays = {"subject_places": self.subject_places, "treatment_places": self.treatment_places}
        document: dict[str, Any] = {"kind": self.kind, "regressed": []}
        for number, told in enumerate(self.told):
            plan = asdict(told.regressed.plan)
            document["regressed"].append({"weight": told.weight, "only_for": told.only_for, "plan": plan})
            arrays |= {f"regressed/{number}/{name}": one for name, one in told.regressed.arrays().items()}
        for side, kernel in (("subjects", self.subjects), ("treatments", self.treatments)):
            document[side] = None if kernel is None else kernel.document()
            if kernel is not None:
                arrays |= {f"{side}/values": kernel.values, f"{side}/active": kernel.active}
        document["calibrated"] = self.calibrator is not None
        if self.calibrator is not None:
            arrays |= {f"calibrator/{name}": one for name, one in self.calibrator.arrays.items()}
        return document, {_ARRAYS: pack_arrays(arrays)}

    @classmethod
    def load(cls, document: dict[str, Any], read: Read) -> KernelPredictor:
        """The predictor that `save` described."""
        arrays = unpack_arrays(read(_ARRAYS))
        told = []
        for number, one in enumerate(document["regressed"]):
            regressed = Regressed.load(Plan.load(one["plan"]), _under(f"regressed/{number}/", arrays))
            told.append(Told(regressed, one["weight"], one["only_for"]))
        subjects, treatments = (
            None
            if document[side] is None
            else FeatureKernel.load(document[side], arrays[f"{side}/values"], arrays[f"{side}/active"])
            for side in ("subjects", "treatments")
        )
        calibrator = (
            Calibrator.load("slope", _under("calibrator/", arrays)) if document["calibrated"] else None
        )
        places = arrays["subject_places"], arrays["treatment_places"]
        return cls(tuple(told), subjects, treatments, *places, calibrator)


def _side(
    kernel: FeatureKernel | None,
    known: np.ndarray,
    features: Features | None,
    places: np.ndarray,
    asked: np.ndarray,
) -> Side:
    """The asked ones of a side; without features told anew, those in the table have the ones learned from."""
    named = known[asked]
    own = np.where(named >= 0, places[np.maximum(named, 0)], -1)
    if kernel is None:
        return Side(own)
    if features is not None:
        return Side(own, kernel.asked(features.take(asked)))
    similarity = np.zeros((len(own), len(kernel.values)))
    inside = np.flatnonzero(own >= 0)
    similarity[inside] = kernel.of_known(own[inside])
    return Side(own, similarity)


def _under(prefix: str, arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {name.removeprefix(prefix): one for name, one in arrays.items() if name.startswith(prefix)}
