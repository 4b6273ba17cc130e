"""The stored segmentation model: asked with onnxruntime alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from iatros.core.bundle import Bundle
from iatros.imaging.runtime.network import StoredNetwork
from iatros.imaging.schema import ImageRecord
from iatros.imaging.scoring import Precision, network_file, stored_network
from iatros.imaging.segmentation.plan import Plan, frame
from iatros.imaging.segmentation.sliding import shares


@dataclass(frozen=True)
class Segmented:
    """A label map in the shape and voxel order of the record's pixels, uint8, and how sure the network is of it."""

    labels: np.ndarray
    certainty: tuple[float, ...]
    """Of each structure, the mean share that the network gives it over the voxels it fills; NaN where it fills none."""


@dataclass(frozen=True)
class SegmentationModel:
    """Networks whose shares are averaged, and all that goes before and after them.

    `mirror_axes` are the axes of the network's grid in which each image is also mirrored and averaged. `volume_ml` are
    the smallest and largest volume of each structure in training, None where voxels have no size.
    """

    plan: Plan
    networks: tuple[StoredNetwork, ...]
    overlap: float
    mirror_axes: tuple[int, ...]
    volume_ml: tuple[tuple[float, float], ...] | None

    def segment(self, pixels: np.ndarray, record: ImageRecord) -> Segmented:
        """The label map of one image or volume; InputError where it does not suit the model."""
        framed = frame(pixels, record, self.plan)
        total: np.ndarray | None = None
        for network in self.networks:
            found = shares(
                lambda patches, network=network: network.run(patches)["logits"],  # type: ignore[misc]
                framed.values,
                self.plan.patch,
                overlap=self.overlap,
                mirror_axes=self.mirror_axes,
            )
            total = found if total is None else total + found
        assert total is not None
        labels, share = framed.restore(total / len(self.networks))
        values = range(1, self.plan.n_outputs)
        sure = [
            float(share[labels == value].mean()) if (labels == value).any() else np.nan for value in values
        ]
        return Segmented(labels, tuple(sure))

    def save(self) -> tuple[dict[str, Any], dict[str, bytes]]:
        """The manifest's part, and files by name."""
        document = {
            "plan": self.plan.document(),
            "members": len(self.networks),
            "overlap": self.overlap,
            "mirror_axes": list(self.mirror_axes),
            "volume_ml": None if self.volume_ml is None else [list(span) for span in self.volume_ml],
        }
        return document, {network_file(k): network.onnx for k, network in enumerate(self.networks)}

    @staticmethod
    def from_bundle(bundle: Bundle, precision: Precision = "fp32") -> SegmentationModel:
        """The model that `bundle` holds, its networks in the stored form `precision`; BundleError without that form."""
        document = bundle.manifest["segmentation"]
        plan = Plan.load(document["plan"])
        spans = document["volume_ml"]
        return SegmentationModel(
            plan=plan,
            networks=tuple(
                StoredNetwork(stored_network(bundle, k, precision), plan.spec)
                for k in range(document["members"])
            ),
            overlap=document["overlap"],
            mirror_axes=tuple(document["mirror_axes"]),
            volume_ml=None if spans is None else tuple((low, high) for low, high in spans),
        )
