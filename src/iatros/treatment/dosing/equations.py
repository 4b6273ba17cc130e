"""The published equations of the weekly dose of warfarin, as models of their own.

International Warfarin Pharmacogenetics Consortium, N Engl J Med 2009;360:753-764, and its supplementary appendix: the
square root of the dose in mg/week from age in decades (60 to 69 years is 6), height in cm, weight in kg, ancestry,
inducers of enzymes (carbamazepine, phenytoin, rifampicin), amiodarone and, in the pharmacogenetic one, CYP2C9 and
VKORC1 -1639. Nothing is learned from the patients but what stands in for an unknown age, height or weight.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
import polars as pl
from pydantic import BaseModel, ConfigDict, Field

from iatros.core.arrays import pack_arrays, unpack_arrays
from iatros.core.errors import RequestError, SchemaError
from iatros.core.task import Target
from iatros.learners.tabular.estimators.pipeline import Fitted
from iatros.learners.tabular.scorers import Read, Saved
from iatros.learners.tabular.table import Table, floats
from iatros.treatment.dosing.units import factor

UNIT = "mg/week"
Kind = Literal["pharmacogenetic", "clinical"]

INTERCEPT = {"pharmacogenetic": 5.6044, "clinical": 4.0376}
MEASURED = {
    "pharmacogenetic": {"age": -0.2614, "height": 0.0087, "weight": 0.0128},
    "clinical": {"age": -0.2546, "height": 0.0118, "weight": 0.0134},
}
"""Per decade, cm and kg."""
ANCESTRY = {
    "pharmacogenetic": {"white": 0.0, "asian": -0.1092, "black": -0.2760, "other": -0.1032},
    "clinical": {"white": 0.0, "asian": -0.6752, "black": 0.4060, "other": 0.0443},
}
"""`other` is mixed or missing."""
INDUCER = {"pharmacogenetic": 1.1816, "clinical": 1.2799}
AMIODARONE = {"pharmacogenetic": -0.5503, "clinical": -0.5695}
VKORC1 = {"G/G": 0.0, "A/G": -0.8677, "A/A": -1.6974}
VKORC1_UNKNOWN = -0.4854
CYP2C9 = {
    "*1/*1": 0.0, "*1/*2": -0.5211, "*1/*3": -0.9357, "*2/*2": -1.0616, "*2/*3": -1.9206, "*3/*3": -2.3312,
}  # fmt: skip
CYP2C9_UNKNOWN = -0.2188
"""Also for genotypes with other alleles, which the equation does not know."""

_YES = frozenset({"1", "yes", "true", "y"})
_ANCESTRIES = {
    "white": "white", "caucasian": "white", "european": "white", "asian": "asian", "black": "black",
    "black or african american": "black", "african american": "black", "african": "black",
}  # fmt: skip
_ARRAYS = "equation.safetensors"


class EquationParams(BaseModel):
    """Which column holds what; of inducers and amiodarone, columns that are not there count as not taken."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    age_decade: str = Field(
        default="age_decade", description="the column with the decade of age, 6 for 60 to 69 years"
    )
    age_years: str = Field(
        default="age_years", description="the column with the age in years, where there is no decade"
    )
    height: str = Field(default="height_cm", description="the column with the height in cm")
    weight: str = Field(default="weight_kg", description="the column with the weight in kg")
    ancestry: str = Field(
        default="race", description="the column with the ancestry: white, asian, black, or other"
    )
    cyp2c9: str = Field(default="cyp2c9", description="the column with the genotype of CYP2C9, such as *1/*3")
    vkorc1: str = Field(
        default="vkorc1_1639", description="the column with the genotype of VKORC1 -1639 G>A, such as A/G"
    )
    inducers: tuple[str, ...] = Field(
        default=("enzyme_inducer", "carbamazepine", "phenytoin", "rifampicin"),
        description="columns of which any that says yes counts as an inducer of enzymes",
    )
    amiodarone: str = Field(
        default="amiodarone", description="the column that says whether amiodarone is taken"
    )


@dataclass(frozen=True)
class EquationPredictor:
    """An equation over a frame with the columns of `params`; `fill` (3,) stands for unknown age, height and weight.

    Answers are on the learning scale: the square root of the dose, in mg/week times `times`.
    """

    kind: ClassVar[str] = "equation"
    equation: Kind
    params: EquationParams
    fill: np.ndarray
    times: float

    def predict(self, frame: pl.DataFrame) -> np.ndarray:
        """The square root of each patient's dose (n,), never below zero."""
        return np.maximum(self.root(frame), 0.0) * np.sqrt(self.times)

    def root(self, frame: pl.DataFrame) -> np.ndarray:
        """The square root of the dose in mg/week (n,), as the equation gives it."""
        measured = measurements(frame, self.params)
        known = np.where(np.isnan(measured), self.fill, measured)
        total = INTERCEPT[self.equation] + known @ np.array(list(MEASURED[self.equation].values()))
        total += _looked_up(_ancestry(frame, self.params), ANCESTRY[self.equation], 0.0)
        total += INDUCER[self.equation] * taken(frame, self.params.inducers)
        total += AMIODARONE[self.equation] * taken(frame, (self.params.amiodarone,))
        if self.equation == "pharmacogenetic":
            total += _looked_up(genotypes(frame, self.params.vkorc1), VKORC1, VKORC1_UNKNOWN)
            total += _looked_up(genotypes(frame, self.params.cyp2c9), CYP2C9, CYP2C9_UNKNOWN)
        return total

    def save(self) -> Saved:
        """The document, and the array of what stands in."""
        document = {
            "kind": self.kind,
            "equation": self.equation,
            "columns": self.params.model_dump(mode="json"),
            "times": self.times,
        }
        return document, {_ARRAYS: pack_arrays({"fill": self.fill})}

    @classmethod
    def load(cls, document: dict[str, Any], read: Read) -> EquationPredictor:
        """The predictor that `save` described."""
        params = EquationParams(**{**document["columns"], "inducers": tuple(document["columns"]["inducers"])})
        return cls(document["equation"], params, unpack_arrays(read(_ARRAYS))["fill"], document["times"])


class _Equation:
    """An equation as an estimator: fitting finds the medians that stand in for unknown measurements."""

    Params: ClassVar[type[EquationParams]] = EquationParams
    interpolates: ClassVar[bool] = False
    equation: ClassVar[Kind]
    name: ClassVar[str]

    def __init__(self, params: EquationParams | None = None) -> None:
        self.params = params or EquationParams()

    def fit(
        self, table: Table, y: np.ndarray, target: Target, *, groups: np.ndarray | None, seed: int
    ) -> Fitted:
        """The equation with the medians of the rows of `table`; `y` must be the square root of a dose in mass a time.

        SchemaError where a column is not there, RequestError where the unit does not lead to mg/week.
        """
        times = factor(UNIT, target.unit or UNIT)
        if times is None:
            raise RequestError(
                f"the equation gives {UNIT}, which does not lead to {target.unit}",
                where="unit",
                hint="name a mass over a time as the unit of the dose",
            )
        measured = measurements(table.frame, self.params)
        lacking = needed(self.equation, self.params, table.schema.names)
        if lacking:
            raise SchemaError(
                f"the {self.name} equation needs the column {lacking[0]!r}",
                where=table.source,
                hint=f"name the column that holds it, as param {self.name}.FIELD=COLUMN",
            )
        # Where no patient has a measurement, the median of the consortium's own patients stands in.
        typical = np.array([6.0, 168.0, 75.0])
        known = [column[~np.isnan(column)] for column in measured.T]
        fill = np.array(
            [np.median(one) if len(one) else usual for one, usual in zip(known, typical, strict=True)]
        )
        n_filled = int(np.isnan(measured).any(axis=1).sum())
        return Fitted(
            EquationPredictor(self.equation, self.params, fill, times),
            {"n_with_filled_measurements": n_filled},
        )


class Pharmacogenetic(_Equation):
    """The pharmacogenetic equation of the IWPC."""

    name = "iwpc-pharmacogenetic"
    equation = "pharmacogenetic"


class Clinical(_Equation):
    """The clinical equation of the IWPC, which needs no genotype."""

    name = "iwpc-clinical"
    equation = "clinical"


def needed(equation: Kind, params: EquationParams, names: list[str]) -> list[str]:
    """The columns that the equation needs and that are not among `names`."""
    wanted = [params.height, params.weight, params.ancestry]
    wanted += [] if params.age_decade in names else [params.age_years]
    wanted += [params.cyp2c9, params.vkorc1] if equation == "pharmacogenetic" else []
    lacking = [name for name in wanted if name not in names]
    return [params.age_decade if name == params.age_years else name for name in lacking]


def measurements(frame: pl.DataFrame, params: EquationParams) -> np.ndarray:
    """Age in decades, height in cm and weight in kg (n, 3), nan where unknown."""
    if params.age_decade in frame.columns:
        age = _numbers(frame, params.age_decade)
    else:
        age = np.floor(_numbers(frame, params.age_years) / 10.0)
    return np.stack([age, _numbers(frame, params.height), _numbers(frame, params.weight)], axis=1)


def taken(frame: pl.DataFrame, names: tuple[str, ...]) -> np.ndarray:
    """1.0 where any of the columns says yes (1, yes, true), else 0.0 (n,); unknown is not taken."""
    answer = np.zeros(frame.height)
    for name in names:
        if name not in frame.columns:
            continue
        if frame[name].dtype.is_numeric():
            said = frame[name].fill_null(0.0).to_numpy() == 1.0
        else:
            said = np.array([str(cell).lower() in _YES for cell in frame[name].to_list()])
        answer = np.maximum(answer, said.astype(float))
    return answer


def genotypes(frame: pl.DataFrame, name: str) -> list[str | None]:
    """Genotypes in one spelling, the alleles in order: `*3/*1` is `*1/*3`, `GA` is `A/G`; None where unknown."""
    return [None if cell is None else _genotype(str(cell)) for cell in frame[name].to_list()]


def _genotype(text: str) -> str:
    written = text.strip().upper().replace(" ", "").replace("|", "/")
    if "/" not in written and len(written) == 2 and written.isalpha():
        written = f"{written[0]}/{written[1]}"
    alleles = written.split("/")
    alleles = [f"*{one}" if one.isdigit() else one for one in alleles]
    return "/".join(sorted(alleles))


def _ancestry(frame: pl.DataFrame, params: EquationParams) -> list[str]:
    return [_ANCESTRIES.get(str(cell).strip().lower(), "other") for cell in frame[params.ancestry].to_list()]


def _looked_up(keys: list[Any], table: dict[str, float], otherwise: float) -> np.ndarray:
    return np.array([table.get(key, otherwise) for key in keys])


def _numbers(frame: pl.DataFrame, name: str) -> np.ndarray:
    """A column as float64; nan where it is not there, which `needed` says, or no number."""
    if name not in frame.columns:
        return np.full(frame.height, np.nan)
    series = frame[name]
    return floats(series if series.dtype.is_numeric() else series.cast(pl.Float64, strict=False))
