"""Train a segmentation: from images with label maps to a bundle with the evidence that comes with it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from iatros.core.arrays import plain
from iatros.core.bundle import BundleDraft
from iatros.core.context import Context, Produced
from iatros.core.errors import RequestError
from iatros.core.report import render
from iatros.core.runs import versions
from iatros.imaging.models import MODELS
from iatros.imaging.models.unet import UNetParams
from iatros.imaging.requests import TrainRequest
from iatros.imaging.schema import Collection
from iatros.imaging.segmentation.augmentation import USED
from iatros.imaging.segmentation.development import Developed
from iatros.imaging.segmentation.evaluation import Judged, means, metrics, volumes
from iatros.imaging.segmentation.examples import Example, examples
from iatros.imaging.segmentation.model_card import model_card
from iatros.imaging.segmentation.report import build
from iatros.imaging.segmentation.study import Study, open_study
from iatros.imaging.segmentation.validation import JudgedPart, Validated, validate
from iatros.imaging.training import LIBRARIES
from iatros.learners.tabular.estimators.params import check_overrides
from iatros.version import __version__

MODEL = "unet"
_EVIDENCE = "evidence.json"
_IN_MANIFEST = (
    "domain", "model", "task", "target", "validation", "headline_split", "seed", "metrics", "splits", "data", "augment",
    "request", "versions", "parent", "notes",
)  # fmt: skip


def train_segmentation(request: TrainRequest, context: Context, collection: Collection) -> Produced:
    """Validate the whole procedure as asked, and keep the final networks with their evidence."""
    params = unet_params(request)
    study = open_study(collection, request.label, context)
    notes = [*study.notes, *_notes(study, request)]
    for note in notes:
        context.progress.note(note)
    validated = validate(study, request, params, context)
    with context.progress.step("metrics and intervals"):
        result = plain(_result(study, request, validated, notes))
    shown = examples(study, validated.judged, validated.labels)
    return _produced(result, request, params, validated.final, shown)


def unet_params(request: TrainRequest) -> UNetParams:
    """The parameters of the U-Net; RequestError where another model, or a parameter of one, was asked for."""
    if "model" in request.model_fields_set and request.model != (MODEL,):
        raise RequestError(
            f"structures are outlined by {MODEL}, got {', '.join(request.model)}",
            where="model",
            hint=f"leave out model, or give {MODEL}",
        )
    found = check_overrides((MODEL,), request.param, MODELS)[MODEL]
    assert isinstance(found, UNetParams)
    return found


def _notes(study: Study, request: TrainRequest) -> list[str]:
    notes = []
    if study.refused:
        notes.append(
            f"{len(study.refused)} of {len(study.refused) + study.n} images are not used; see refused"
        )
    unused = [name for name in request.augment if name not in (*USED, "none")]
    if unused:
        notes.append(f"augmentation without {', '.join(unused)}, which would hide what the label map shows")
    if not study.named and len(study.structures) > 1:
        notes.append(
            "structures have no names (label), so mirror images are not used: they may be left and right"
        )
    return notes


def _result(study: Study, request: TrainRequest, validated: Validated, notes: list[str]) -> dict[str, Any]:
    judged, split, final = validated.judged, validated.plan.split, validated.final
    groups = study.groups[judged.rows]
    splits = {"train": study.sizes(final.train), "tuning": study.sizes(final.tuning)}
    if validated.plan.final_is_judged:
        splits[split] = study.sizes(judged.rows)
    found = metrics(
        judged, study.structures, groups, confidence_level=request.confidence_level, seed=request.seed
    )
    return {
        "domain": "imaging",
        "model": MODEL,
        "task": "segmentation",
        "target": {
            "name": "structures",
            "task": "segmentation",
            "classes": list(study.structures),
            "unit": None,
        },
        "validation": request.validation if request.validation != "auto" else "held-out",
        "headline_split": split,
        "seed": request.seed,
        "metrics": {split: found},
        "splits": splits,
        "flow": study.flow(),
        "cases": cases_table(judged, study.structures),
        "volumes": volumes(judged, study.structures),
        "parts": [_part(part) for part in validated.parts],
        "history": final.learned[0].history,
        "plan": final.model.plan.document(),
        "mirrored": bool(final.model.mirror_axes),
        "augment": [name for name in request.augment if name in USED],
        "data": study.data(),
        "notes": [*notes, *validated.plan.notes],
        "request": request.model_dump(mode="json"),
        "versions": versions(LIBRARIES),
        "parent": None,
    }


def cases_table(judged: Judged, structures: tuple[str, ...]) -> list[dict[str, Any]]:
    """Dice and surface distance of each judged image, without its name; `row` counts the images that were used."""
    return [
        {
            "row": int(row),
            **{f"dice_{name}": one.dice for name, one in zip(structures, found, strict=True)},
            **{
                f"surface_distance_mm_{name}": one.surface_distance_mm
                for name, one in zip(structures, found, strict=True)
            },
        }
        for row, found in zip(judged.rows.tolist(), judged.agreements, strict=True)
    ]


def _part(part: JudgedPart) -> dict[str, Any]:
    """What one part of the validation gave; `_without_seconds` keeps its times out of what must be the same."""
    developed, first = part.developed, part.developed.learned[0]
    return {
        "name": part.name,
        "n_train": len(developed.train),
        "n_tuning": len(developed.tuning),
        "n_judged": len(part.judged.rows),
        "best_epoch": first.best_epoch,
        "tuning_dice": first.tuning_dice,
        "dice": means(part.judged.values("dice")),
        "precision": first.precision,
        "threads": first.threads,
        "seconds": part.seconds,
    }


def _produced(
    result: dict[str, Any],
    request: TrainRequest,
    params: UNetParams,
    final: Developed,
    shown: tuple[Example, ...],
) -> Produced:
    document, files = final.model.save()
    stored, seconds = _without_seconds(result)
    files = {
        **files,
        **final.weights(),
        _EVIDENCE: json.dumps(
            {key: value for key, value in stored.items() if key not in _IN_MANIFEST}, sort_keys=True
        ).encode(),
    }
    plan = final.model.plan
    manifest = {"iatros": __version__} | {key: result[key] for key in _IN_MANIFEST}
    manifest["segmentation"] = plain(document)
    manifest["network"] = {
        "model": MODEL,
        "params": params.model_dump(mode="json"),
        "spec": plan.spec.document(),
        "n_outputs": plan.n_outputs,
        "n_columns": 0,
        "threads": final.learned[0].threads,
        "precision": final.learned[0].precision,
    }
    manifest["created"] = {"fit_seconds": seconds}
    documents = {
        "report.html": render(build(result, shown)).encode(),
        "model_card.md": model_card(result).encode(),
    }
    return Produced(result, bundle=BundleDraft(manifest, files, documents))


def _without_seconds(result: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, float]]:
    """The result without times, which differ from run to run, and the seconds of training by part."""
    parts = [{k: v for k, v in part.items() if k != "seconds"} for part in result["parts"]]
    history = [{k: v for k, v in epoch.items() if k != "seconds"} for epoch in result["history"]]
    seconds = {part["name"]: round(part["seconds"], 1) for part in result["parts"]}
    return {**result, "parts": parts, "history": history}, seconds
