"""A trained imaging model as it is used: prepared images in, calibrated predictions and conformal answers out.

What `predict` needs and no more: numpy, onnxruntime, safetensors, and polars where there is a patient table.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

import numpy as np

from iatros.core.bundle import Bundle, pack_arrays, unpack_arrays
from iatros.core.calibration import Calibrator
from iatros.core.conformal import ConformalInterval, ConformalSet
from iatros.core.errors import BundleError
from iatros.core.task import Target
from iatros.imaging.fusion_table import TableEncoder
from iatros.imaging.heads import predictions
from iatros.imaging.runtime.network import BATCH_SIZE, StoredNetwork
from iatros.imaging.schema import InputSpec, Objective

Precision = Literal["fp32", "int8"]
Conformal = ConformalSet | ConformalInterval
Inputs = np.ndarray | Sequence[np.ndarray]

_CALIBRATION = "calibration.safetensors"
_TABLE = "table.safetensors"


@dataclass(frozen=True)
class Raw:
    """What the networks say of n images before calibration.

    `logits` (n, n_outputs) are the mean over the members of the ensemble and, with `test_time`, over each
    image and its mirror image; `features` (n, n_features) and `slice_weights` (n arrays (slices,), or None)
    are those of the first member on the image as it is. `spread` (n,) is how far the members are from one
    another: the standard deviation of their predictions (of the probability in which they differ most, or of
    the value), NaN where there is one member.
    """

    logits: np.ndarray
    features: np.ndarray
    slice_weights: list[np.ndarray] | None
    spread: np.ndarray


@dataclass(frozen=True)
class ImagingModel:
    """Networks, and for each target a calibrator and a conformal rule."""

    name: str
    targets: tuple[Target, ...]
    objective: Objective
    spec: InputSpec
    networks: tuple[StoredNetwork, ...]
    """Members of the ensemble, all over the same inputs."""
    test_time: bool
    """Whether the mirror image is asked too (columns reversed)."""
    calibrators: tuple[Calibrator, ...]
    conformal: tuple[Conformal | None, ...]
    table: TableEncoder | None = None

    def raw(self, inputs: Inputs, table: np.ndarray | None = None, batch_size: int = BATCH_SIZE) -> Raw:
        """What the networks say of prepared inputs; `table` (n, n_columns) is what `self.table.apply` gives."""
        logits = []
        first: dict[str, Any] = {}
        for network in self.networks:
            answer = network.run(inputs, table, batch_size)
            first = first or answer
            mean = answer["logits"].astype(np.float64)
            if self.test_time:
                mean = (mean + network.run(mirrored(inputs), table, batch_size)["logits"]) / 2
            logits.append(mean)
        return Raw(
            logits=np.mean(logits, axis=0),
            features=first["features"],
            slice_weights=first.get("slice_weights"),
            spread=self._spread(logits),
        )

    def predict(
        self, inputs: Inputs, table: np.ndarray | None = None, batch_size: int = BATCH_SIZE
    ) -> list[np.ndarray]:
        """Calibrated predictions of each target, in the shapes of core/task.py."""
        return self.finish(self.raw(inputs, table, batch_size).logits)

    def finish(self, logits: np.ndarray) -> list[np.ndarray]:
        """Calibrated predictions of each target from logits (n, n_outputs)."""
        uncalibrated = self.finish_uncalibrated(logits)
        return [each.apply(values) for each, values in zip(self.calibrators, uncalibrated, strict=True)]

    def finish_uncalibrated(self, logits: np.ndarray) -> list[np.ndarray]:
        """Predictions of each target as the networks give them."""
        return predictions(self.objective, self.targets, logits)

    def _spread(self, logits: list[np.ndarray]) -> np.ndarray:
        if len(logits) == 1:
            return np.full(len(logits[0]), np.nan)
        members = [np.column_stack(self.finish_uncalibrated(each)) for each in logits]
        deviation: np.ndarray = np.std(members, axis=0).max(axis=1)
        return deviation

    def save(self) -> tuple[dict[str, Any], dict[str, bytes]]:
        """The manifest's part about predicting (its key is `predictor`), and the files that hold the numbers."""
        arrays: dict[str, np.ndarray] = {}
        for place, (calibrator, rule) in enumerate(zip(self.calibrators, self.conformal, strict=True)):
            arrays |= {f"calibrator{place}.{key}": value for key, value in calibrator.arrays.items()}
            if rule is not None:
                arrays |= {f"conformal{place}.{key}": value for key, value in rule.arrays().items()}
        files = {_CALIBRATION: pack_arrays(arrays)}
        files |= {network_file(member): network.onnx for member, network in enumerate(self.networks)}
        if self.table is not None:
            files[_TABLE] = pack_arrays(self.table.arrays())
        return {
            "members": len(self.networks),
            "targets": [asdict(target) for target in self.targets],
            "objective": self.objective,
            "test_time": self.test_time,
            "calibrators": [calibrator.kind for calibrator in self.calibrators],
            "conformal": [None if rule is None else type(rule).__name__ for rule in self.conformal],
            "table": None if self.table is None else self.table.document(),
        }, files

    @classmethod
    def from_bundle(cls, bundle: Bundle, precision: Precision = "fp32") -> ImagingModel:
        """The model that `bundle` holds, its networks in the stored form `precision`.

        Raises BundleError for a bundle of another domain, of another task, or without that form.
        """
        manifest = bundle.manifest
        if manifest["domain"] != "imaging":
            raise BundleError(f"{bundle.name} answers questions of {manifest['domain']}, not of imaging")
        if "predictor" not in manifest:
            raise BundleError(f"{bundle.name} outlines findings and does not classify images")
        document = manifest["predictor"]
        parts = _by_part(unpack_arrays(bundle.read(_CALIBRATION)))
        targets = tuple(Target(**{**each, "classes": tuple(each["classes"])}) for each in document["targets"])
        spec = InputSpec.load(manifest["network"]["spec"])
        return cls(
            name=manifest["model"],
            targets=targets,
            objective=_objective(document["objective"]),
            spec=spec,
            networks=tuple(
                StoredNetwork(stored_network(bundle, member, precision), spec)
                for member in range(document["members"])
            ),
            test_time=document["test_time"],
            calibrators=tuple(
                Calibrator.load(kind, parts.get(f"calibrator{place}", {}))
                for place, kind in enumerate(document["calibrators"])
            ),
            conformal=tuple(
                _conformal(kind, parts.get(f"conformal{place}", {}))
                for place, kind in enumerate(document["conformal"])
            ),
            table=_table(bundle, document["table"]),
        )


def network_file(member: int, form: Literal["fp32", "int8", "weights"] = "fp32") -> str:
    """The name of a stored form of a member's network: `network0.onnx`, `.int8.onnx` or `.safetensors`.

    >>> network_file(1, "int8")
    'network1.int8.onnx'
    """
    return f"network{member}." + {"fp32": "onnx", "int8": "int8.onnx", "weights": "safetensors"}[form]


def mirrored(inputs: Inputs) -> Inputs:
    """Each input with its columns reversed."""
    if isinstance(inputs, np.ndarray):
        return inputs[..., ::-1]
    return [each[..., ::-1] for each in inputs]


def stored_network(bundle: Bundle, member: int, precision: Precision) -> bytes:
    """The graph of a member's network; BundleError where the bundle does not hold it in that form."""
    name = network_file(member, precision)
    if precision == "int8" and name not in bundle.manifest["files"]:
        raise BundleError(
            "the bundle holds no 8-bit form of its network", where=bundle.name, hint="ask with precision fp32"
        )
    return bundle.read(name)


def _by_part(arrays: dict[str, np.ndarray]) -> dict[str, dict[str, np.ndarray]]:
    parts: dict[str, dict[str, np.ndarray]] = {}
    for key, value in arrays.items():
        part, _, name = key.partition(".")
        parts.setdefault(part, {})[name] = value
    return parts


def _objective(name: str) -> Objective:
    for known in get_args(Objective):
        if name == known:
            objective: Objective = known
            return objective
    raise BundleError(f"the objective {name!r} is not known to this version")


def _conformal(kind: str | None, arrays: dict[str, np.ndarray]) -> Conformal | None:
    if kind is None:
        return None
    kinds: dict[str, type[ConformalSet] | type[ConformalInterval]] = {
        "ConformalSet": ConformalSet,
        "ConformalInterval": ConformalInterval,
    }
    if kind not in kinds:
        raise BundleError(f"the conformal rule {kind!r} is not known to this version")
    return kinds[kind].load(arrays)


def _table(bundle: Bundle, document: dict[str, Any] | None) -> TableEncoder | None:
    if document is None:
        return None
    return TableEncoder.load(document, unpack_arrays(bundle.read(_TABLE)))
