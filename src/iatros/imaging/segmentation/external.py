"""Evaluate a segmentation model on images from elsewhere, whose label maps are known."""

from __future__ import annotations

from typing import Any

import numpy as np

from iatros.core.arrays import plain
from iatros.core.bundle import Bundle
from iatros.core.context import Context, Produced
from iatros.core.report import render
from iatros.imaging.gating import count_on
from iatros.imaging.quality import Gates
from iatros.imaging.requests import EvaluateRequest
from iatros.imaging.schema import Collection
from iatros.imaging.segmentation.evaluation import by_site, metrics, volumes
from iatros.imaging.segmentation.examples import examples
from iatros.imaging.segmentation.report import build
from iatros.imaging.segmentation.scoring import SegmentationModel
from iatros.imaging.segmentation.study import open_study
from iatros.imaging.segmentation.validation import judge


def evaluate_segmentation(
    bundle: Bundle, request: EvaluateRequest, context: Context, collection: Collection
) -> Produced:
    """Agreement of the bundle's label maps with the true ones; labels mean what they meant in training."""
    model = SegmentationModel.from_bundle(bundle, precision=request.precision)
    study = open_study(collection, model.plan.structures, context)
    rows = np.arange(study.n)
    judged, labels = judge(model, study, rows, context, label="outlining structures")
    gates = Gates.load(bundle.manifest["quality"], bundle.read)
    told: dict[str, Any] = {"confidence_level": request.confidence_level, "seed": request.seed}
    with context.progress.step("metrics and intervals"):
        found = metrics(judged, study.structures, study.groups, **told)
        sites = by_site(judged, study.structures, study.groups, study.sites, **told)
    manifest = bundle.manifest
    result = plain(
        {
            "domain": "imaging",
            "model": manifest["model"],
            "bundle_sha256": bundle.manifest_sha256,
            "task": "segmentation",
            "target": manifest["target"],
            "validation": "external",
            "headline_split": "external",
            "parent": bundle.parent_reference,
            "metrics": {"external": found},
            "sites": sites,
            "quality": count_on(gates, study.seen, study.seen_pixels, rows, study.groups, context),
            "splits": {"external": study.sizes(rows)},
            "flow": study.flow(),
            "volumes": volumes(judged, study.structures),
            "plan": model.plan.document(),
            "data": study.data(),
            "request": request.model_dump(mode="json"),
            "seed": request.seed,
            "notes": list(study.notes),
        }
    )
    shown = examples(study, judged, labels)
    return Produced(result, documents={"report.html": render(build(result, shown)).encode()})
