"""A trained risk model as it is used: features in, calibrated risk and conformal answer out.

What `predict` needs and no more: numpy, polars, onnxruntime and safetensors.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import polars as pl

from iatros.core.bundle import Bundle, pack_arrays, unpack_arrays
from iatros.core.calibration import Calibrator
from iatros.core.conformal import ConformalInterval, ConformalSet
from iatros.core.errors import BundleError
from iatros.core.task import Target
from iatros.learners.tabular.predictor import Predictor, load_predictor
from iatros.learners.tabular.schema import TableSchema
from iatros.risk.transform import backward, forward


@dataclass(frozen=True)
class RiskModel:
    """Predictor, calibrator and conformal rule over one input schema."""

    name: str
    target: Target
    transform: str
    schema: TableSchema
    """The feature columns, in the order that the predictor takes them."""
    predictor: Predictor
    calibrators: tuple[Calibrator, ...]
    """Applied in this order: the one from training first, then one for each recalibration."""
    conformal: ConformalSet | ConformalInterval | None

    def raw(self, frame: pl.DataFrame) -> np.ndarray:
        """What the predictor says before calibration, on the learning scale."""
        return self.predictor.predict(frame.select(self.schema.names))

    def predict(self, frame: pl.DataFrame) -> np.ndarray:
        """Calibrated prediction in the shapes of core/task.py; continuous in the outcome's unit."""
        return self.finish(self.raw(frame))

    def finish(self, raw: np.ndarray) -> np.ndarray:
        """Calibrate a raw prediction and bring it to the outcome's scale."""
        return backward(self.transform, self.calibrated(raw))

    def calibrated(self, raw: np.ndarray) -> np.ndarray:
        """A raw prediction through every calibrator, still on the learning scale."""
        for calibrator in self.calibrators:
            raw = calibrator.apply(raw)
        return raw

    def finish_uncalibrated(self, raw: np.ndarray) -> np.ndarray:
        """Bring a raw prediction to the outcome's scale without calibrating it."""
        return backward(self.transform, raw)

    def sets(self, prediction: np.ndarray) -> np.ndarray:
        """Which classes the conformal set of each patient holds; boolean, shape (n, n_classes)."""
        assert isinstance(self.conformal, ConformalSet)
        return self.conformal.sets(prediction)

    def interval(self, prediction: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Conformal interval of each patient in the outcome's unit."""
        assert isinstance(self.conformal, ConformalInterval)
        low, high = self.conformal.apply(forward(self.transform, prediction))
        return backward(self.transform, low), backward(self.transform, high)

    def recalibrated(
        self, calibrator: Calibrator, conformal: ConformalSet | ConformalInterval | None
    ) -> RiskModel:
        """The same predictor with one more calibrator, under a new conformal rule."""
        return replace(self, calibrators=(*self.calibrators, calibrator), conformal=conformal)

    def save(self) -> tuple[dict[str, Any], dict[str, bytes]]:
        """The manifest's part about predicting, and the files that hold the numbers."""
        document, files = self.predictor.save()
        arrays = {
            f"calibrator{place}.{key}": value
            for place, calibrator in enumerate(self.calibrators)
            for key, value in calibrator.arrays.items()
        }
        if self.conformal is not None:
            arrays |= {f"conformal.{key}": value for key, value in self.conformal.arrays().items()}
        files = dict(files)
        files["calibration.safetensors"] = pack_arrays(arrays)
        return {
            "predictor": document,
            "transform": self.transform,
            "calibrators": [calibrator.kind for calibrator in self.calibrators],
            "conformal": None if self.conformal is None else type(self.conformal).__name__,
        }, files

    @classmethod
    def from_bundle(cls, bundle: Bundle) -> RiskModel:
        """The model that `bundle` holds; a bundle of another domain raises BundleError."""
        manifest = bundle.manifest
        if manifest["domain"] != "risk":
            raise BundleError(f"{bundle.name} answers questions of {manifest['domain']}, not of risk")
        document = manifest["predictor"]
        arrays = unpack_arrays(bundle.read("calibration.safetensors"))
        parts: dict[str, dict[str, np.ndarray]] = {}
        for key, value in arrays.items():
            part, _, name = key.partition(".")
            parts.setdefault(part, {})[name] = value
        return cls(
            name=manifest["model"],
            target=Target(**{**manifest["target"], "classes": tuple(manifest["target"]["classes"])}),
            transform=document["transform"],
            schema=TableSchema.model_validate(manifest["schema"]),
            predictor=load_predictor(document["predictor"], bundle.read),
            calibrators=tuple(
                Calibrator.load(kind, parts.get(f"calibrator{place}", {}))
                for place, kind in enumerate(document["calibrators"])
            ),
            conformal=_conformal(document["conformal"], parts.get("conformal", {})),
        )


def _conformal(kind: str | None, arrays: dict[str, np.ndarray]) -> ConformalSet | ConformalInterval | None:
    if kind is None:
        return None
    kinds: dict[str, type[ConformalSet] | type[ConformalInterval]] = {
        "ConformalSet": ConformalSet,
        "ConformalInterval": ConformalInterval,
    }
    if kind not in kinds:
        raise BundleError(f"the conformal rule {kind!r} is not known to this version")
    return kinds[kind].load(arrays)
