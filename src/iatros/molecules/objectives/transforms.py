"""Transforms: from the value of a property to how well it suits, 0 (not at all) to 1 (fully).

| kind | fields | what it does |
|---|---|---|
| `identity` | | the value itself, kept between 0 and 1 |
| `linear` | `low`, `high` | 0 at `low`, 1 at `high`, straight between them; falls where `low` is the greater |
| `threshold` | `at` | the share of `at` that is reached, at most 1 |
| `step` | `at_least`, `at_most` | 1 inside, 0 outside; either may be left out |
| `sigmoid` | `low`, `high` | .05 at `low`, .95 at `high` |
| `reverse-sigmoid` | `low`, `high` | .95 at `low`, .05 at `high` |
| `double-sigmoid` | `low`, `high`, `width` | .5 at both, high between them; each slope has `width` |
| `gaussian` | `mean`, `spread` | 1 at `mean`, .61 one `spread` away |
| `min-gaussian` | `mean`, `spread` | 1 up to `mean`, and falls above it: small values are wanted |
| `max-gaussian` | `mean`, `spread` | 1 from `mean`, and falls below it: great values are wanted |

The last three are those of GuacaMol (Brown et al., J Chem Inf Model 59:1096 (2019)), and `linear` and `threshold` its
clipped and thresholded ones.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

_STEEPNESS = 2.0 * np.log(19.0)
"""Of a logistic curve that goes from .05 to .95 over a length of 1."""


class _Transform(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    def __call__(self, values: np.ndarray) -> np.ndarray:
        """How well each of the `values` (n,) suits, 0 to 1; nan stays nan."""
        raise NotImplementedError


class Identity(_Transform):
    """The value itself."""

    kind: Literal["identity"] = "identity"

    def __call__(self, values: np.ndarray) -> np.ndarray:  # noqa: D102
        return np.clip(values, 0.0, 1.0)


class _Between(_Transform):
    low: float
    high: float


class Linear(_Between):
    """A straight line, which may fall."""

    kind: Literal["linear"]

    def __call__(self, values: np.ndarray) -> np.ndarray:  # noqa: D102
        return np.clip((values - self.low) / (self.high - self.low), 0.0, 1.0)

    @model_validator(mode="after")
    def _apart(self) -> Linear:
        if self.low == self.high:
            raise ValueError("low and high must differ; a jump is a step")
        return self


class Threshold(_Transform):
    """The share of a value that is enough."""

    kind: Literal["threshold"]
    at: float = Field(gt=0.0)

    def __call__(self, values: np.ndarray) -> np.ndarray:  # noqa: D102
        return np.clip(values / self.at, 0.0, 1.0)


class Step(_Transform):
    """All or nothing."""

    kind: Literal["step"]
    at_least: float | None = None
    at_most: float | None = None

    def __call__(self, values: np.ndarray) -> np.ndarray:  # noqa: D102
        low = -np.inf if self.at_least is None else self.at_least
        high = np.inf if self.at_most is None else self.at_most
        return np.where(np.isnan(values), np.nan, ((values >= low) & (values <= high)).astype(float))

    @model_validator(mode="after")
    def _some(self) -> Step:
        if self.at_least is None and self.at_most is None:
            raise ValueError("at_least, at_most or both are needed")
        if self.at_least is not None and self.at_most is not None and self.at_least > self.at_most:
            raise ValueError(f"nothing is at least {self.at_least:g} and at most {self.at_most:g}")
        return self


class _Rising(_Between):
    @model_validator(mode="after")
    def _ordered(self) -> _Rising:
        if self.low >= self.high:
            raise ValueError(f"low must be less than high, got {self.low:g} and {self.high:g}")
        return self

    def _rise(self, values: np.ndarray) -> np.ndarray:
        middle = (self.low + self.high) / 2
        return _logistic(_STEEPNESS * (values - middle) / (self.high - self.low))


class Sigmoid(_Rising):
    """Great values are wanted, without an edge."""

    kind: Literal["sigmoid"]

    def __call__(self, values: np.ndarray) -> np.ndarray:  # noqa: D102
        return self._rise(values)


class ReverseSigmoid(_Rising):
    """Small values are wanted, without an edge."""

    kind: Literal["reverse-sigmoid"]

    def __call__(self, values: np.ndarray) -> np.ndarray:  # noqa: D102
        return 1.0 - self._rise(values)


class DoubleSigmoid(_Rising):
    """A range is wanted, without edges."""

    kind: Literal["double-sigmoid"]
    width: float = Field(gt=0.0)

    def __call__(self, values: np.ndarray) -> np.ndarray:  # noqa: D102
        rise = _logistic(_STEEPNESS * (values - self.low) / self.width)
        return rise * _logistic(_STEEPNESS * (self.high - values) / self.width)


class _Bell(_Transform):
    mean: float
    spread: float = Field(gt=0.0)

    def _bell(self, values: np.ndarray) -> np.ndarray:
        return np.exp(-0.5 * ((values - self.mean) / self.spread) ** 2)


class Gaussian(_Bell):
    """A value is wanted."""

    kind: Literal["gaussian"]

    def __call__(self, values: np.ndarray) -> np.ndarray:  # noqa: D102
        return self._bell(values)


class MinGaussian(_Bell):
    """No more than a value is wanted."""

    kind: Literal["min-gaussian"]

    def __call__(self, values: np.ndarray) -> np.ndarray:  # noqa: D102
        return self._bell(np.maximum(values, self.mean))


class MaxGaussian(_Bell):
    """No less than a value is wanted."""

    kind: Literal["max-gaussian"]

    def __call__(self, values: np.ndarray) -> np.ndarray:  # noqa: D102
        return self._bell(np.minimum(values, self.mean))


TRANSFORMS: dict[str, type[_Transform]] = {
    "identity": Identity,
    "linear": Linear,
    "threshold": Threshold,
    "step": Step,
    "sigmoid": Sigmoid,
    "reverse-sigmoid": ReverseSigmoid,
    "double-sigmoid": DoubleSigmoid,
    "gaussian": Gaussian,
    "min-gaussian": MinGaussian,
    "max-gaussian": MaxGaussian,
}

Transform = Annotated[
    Identity
    | Linear
    | Threshold
    | Step
    | Sigmoid
    | ReverseSigmoid
    | DoubleSigmoid
    | Gaussian
    | MinGaussian
    | MaxGaussian,
    Field(discriminator="kind"),
]


def _logistic(values: np.ndarray) -> Any:
    """1 / (1 + exp(-x)), without overflow."""
    return 0.5 * (1.0 + np.tanh(0.5 * values))
