"""Train: from images to a bundle with the evidence that comes with it."""

from __future__ import annotations

import json
from typing import Any

from iatros.core.arrays import plain
from iatros.core.bundle import BundleDraft
from iatros.core.context import Context, Produced
from iatros.core.report import render
from iatros.core.runs import versions
from iatros.imaging.auditing import audit
from iatros.imaging.cohort import open_cohort
from iatros.imaging.labels import DEFAULT_LABEL
from iatros.imaging.model_card import model_card
from iatros.imaging.report import build
from iatros.imaging.requests import TrainRequest
from iatros.imaging.results import training_result
from iatros.imaging.schema import Collection
from iatros.imaging.sources import open_collection
from iatros.imaging.storing import Stored, store
from iatros.imaging.validation import Validated, validate
from iatros.version import __version__

_EVIDENCE = "evidence.json"
_IN_MANIFEST = (
    "domain", "model", "task", "target", "targets", "objective", "validation", "seed", "metrics", "sites", "splits",
    "chosen_thresholds", "calibration", "conformal", "data", "input", "prevalence", "export", "request", "versions",
    "parent", "notes",
)  # fmt: skip
LIBRARIES = (
    "numpy",
    "scipy",
    "torch",
    "lightning",
    "monai",
    "onnx",
    "onnxruntime",
    "pydicom",
    "nibabel",
    "pillow",
)


def train(request: TrainRequest, context: Context) -> Produced:
    """Read the images, audit them, validate the whole procedure, and keep the final network with its evidence."""
    collection = read_images(request, context)
    if _is_segmentation(collection, request):
        from iatros.imaging.segmentation import train_segmentation

        return train_segmentation(request, context, collection)
    cohort = open_cohort(collection, request)
    for note in cohort.notes:
        context.progress.note(note)
    audited = audit(cohort, request, context)
    run = validate(audited, request, context)
    unseen = run.judged[-1].rows if run.plan.final_is_judged else run.final.sides.calibration
    stored = store(run.cohort, run.final, unseen, request, context)
    result = training_result(run, stored, context)
    result["versions"] = versions(LIBRARIES)
    return _produced(plain(result), stored, run)


def read_images(request: TrainRequest, context: Context) -> Collection:
    """The collection that the request names, with what was refused said."""
    with context.progress.step("reading images"):
        collection = open_collection(
            request.images,
            context,
            table=request.table,
            subject=request.subject,
            site=request.site,
            split=request.split,
            window=request.window,
        )
    if collection.refused:
        context.progress.note(
            f"{len(collection.refused)} files were refused, {len(collection.records)} read; see the report"
        )
    return collection


def _is_segmentation(collection: Collection, request: TrainRequest) -> bool:
    if request.task != "auto":
        return request.task == "segmentation"
    labelled = bool(request.label) or any(DEFAULT_LABEL in record.columns for record in collection.records)
    return not labelled and any(record.mask is not None for record in collection.records)


def _produced(result: dict[str, Any], stored: Stored, run: Validated) -> Produced:
    documents = {
        "report.html": render(build(result)).encode(),
        "model_card.md": model_card(result).encode(),
    }
    # Speed differs from run to run: it stands in the report and under `created`, and nowhere else.
    network = {key: value for key, value in result["network"].items() if key != "images_per_second"}
    evidence = {key: value for key, value in result.items() if key not in _IN_MANIFEST} | {"network": network}
    files = stored.files | {_EVIDENCE: json.dumps(evidence, sort_keys=True).encode()}
    manifest = {"iatros": __version__} | {key: result[key] for key in _IN_MANIFEST}
    manifest |= {
        "network": stored.network,
        "predictor": stored.predictor,
        "quality": stored.gates.document(),
        "created": {
            "fit_seconds": {
                one.candidate.name: round(sum(m.seconds for m in one.members), 1) for one in run.final.trained
            },
            "images_per_second": result["network"]["images_per_second"],
        },
    }
    return Produced(_without_pictures(result), bundle=BundleDraft(manifest, files, documents))


def _without_pictures(result: dict[str, Any]) -> dict[str, Any]:
    """The result for a door: pictures stay in the report."""
    shown = [{k: v for k, v in one.items() if k not in ("png", "overlay")} for one in result["images"]]
    return {**result, "images": shown}
