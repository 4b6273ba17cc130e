"""Train a segmentation: from images with label maps to a bundle with the evidence that comes with it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from iatros.core.arrays import plain
from iatros.core.bundle import BundleDraft
from iatros.core.context import Context, Produced
from iatros.core.errors import RequestError
from iatros.core.report import render
from iatros.core.runs import versions
from iatros.imaging.auditing import audit_notes, join_copies
from iatros.imaging.gating import count_on
from iatros.imaging.models import MODELS
from iatros.imaging.models.unet import UNetParams
from iatros.imaging.requests import TrainRequest
from iatros.imaging.schema import Collection
from iatros.imaging.segmentation.augmentation import USED
from iatros.imaging.segmentation.development import Developed
from iatros.imaging.segmentation.evaluation import Judged, by_site, means, metrics, volumes
from iatros.imaging.segmentation.examples import Example, examples
from iatros.imaging.segmentation.model_card import model_card
from iatros.imaging.segmentation.report import build
from iatros.imaging.segmentation.storing import Stored, store
from iatros.imaging.segmentation.study import Study, open_study
from iatros.imaging.segmentation.validation import JudgedPart, Validated, validate
from iatros.imaging.training import LIBRARIES
from iatros.learners.tabular.estimators.params import check_overrides
from iatros.version import __version__

MODEL = "unet"
_EVIDENCE = "evidence.json"
_IN_MANIFEST = (
    "domain", "model", "task", "target", "validation", "headline_split", "seed", "metrics", "sites", "splits", "data",
    "augment", "export", "request", "versions", "parent", "notes",
)  # fmt: skip


def train_segmentation(request: TrainRequest, context: Context, collection: Collection) -> Produced:
    """Validate the whole procedure as asked, and keep the final networks with their evidence."""
    params = unet_params(request)
    study = open_study(collection, request.label, context)
    found, groups = join_copies(
        study.seen, study.seen_pixels, None, study.groups, request, context, sided=study.split is not None
    )
    # there are no labels that copies could contradict
    leakage = {name: part for name, part in found.document.items() if "contradicting" not in name}
    notes = [
        *study.notes,
        *_notes(study, request),
        *audit_notes(leakage, joined=groups is found.groups),
    ]
    for note in notes:
        context.progress.note(note)
    study = replace(study, groups=groups)
    validated = validate(study, request, params, context)
    stored = store(study, validated, request, context)
    judged = validated.judged
    with context.progress.step("metrics and intervals"):
        result = _result(study, request, validated, notes) | {
            "leakage": leakage,
            "quality": count_on(
                stored.gates, study.seen, study.seen_pixels, judged.rows, study.groups, context
            ),
            "export": stored.export,
        }
    shown = examples(study, judged, validated.labels)
    return _produced(plain(result), params, validated.final, stored, shown)


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
    told: dict[str, Any] = {"confidence_level": request.confidence_level, "seed": request.seed}
    splits = {"train": study.sizes(final.train), "tuning": study.sizes(final.tuning)}
    if validated.plan.final_is_judged:
        splits[split] = study.sizes(judged.rows)
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
        "metrics": {split: metrics(judged, study.structures, groups, **told)},
        "sites": by_site(judged, study.structures, groups, study.sites_of(judged.rows), **told),
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
    result: dict[str, Any], params: UNetParams, final: Developed, stored: Stored, shown: tuple[Example, ...]
) -> Produced:
    kept, seconds = _without_seconds(result)
    evidence = {key: value for key, value in kept.items() if key not in _IN_MANIFEST}
    files = stored.files | {_EVIDENCE: json.dumps(evidence, sort_keys=True).encode()}
    plan = final.model.plan
    manifest = {"iatros": __version__} | {key: result[key] for key in _IN_MANIFEST}
    manifest["segmentation"] = plain(stored.segmentation)
    manifest["quality"] = stored.gates.document()
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
