"""What the images give away before any network learns from them: copies, contradictions, and what needs no finding."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from iatros.core.context import Context
from iatros.core.errors import SplitError
from iatros.core.splits import folds, task_seed
from iatros.imaging.choosing import candidates
from iatros.imaging.cohort import Cohort
from iatros.imaging.leakage import ImageAudit, audit_images
from iatros.imaging.leakage.baselines import border_baseline, metadata_baseline
from iatros.imaging.leakage.copies import Pixels
from iatros.imaging.leakage.thumbnails import thumbnails
from iatros.imaging.requests import TrainRequest
from iatros.imaging.schema import ImageRecord, Refused

_SIDE = 64
"""Rows and columns of the pictures whose border is looked at."""


@dataclass(frozen=True)
class Audited:
    """The cohort that remains, with patients joined by copies, and what the report says about it."""

    cohort: Cohort
    document: dict[str, Any]
    """As `leakage.audit_images`, with `border` and `metadata`: what is guessed without looking at the patient."""
    notes: tuple[str, ...]


def audit(cohort: Cohort, request: TrainRequest, context: Context) -> Audited:
    """Join patients whose images are copies, leave out contradicting labels and images the networks cannot take."""
    cohort = _same_channels(cohort, request)
    found, groups = join_copies(
        cohort.records,
        cohort.collection.pixels,
        cohort.training_labels(),
        cohort.groups,
        request,
        context,
        sided=cohort.split is not None,
    )
    document = dict(found.document)
    kept = np.setdiff1d(np.arange(cohort.n), found.drop)
    refused = [
        Refused(cohort.records[row].name, "left out: the same picture has another label elsewhere")
        for row in found.drop
    ]
    remaining = replace(cohort, groups=groups, refused=(*cohort.refused, *refused)).take(kept)
    if len(found.drop):
        remaining = replace(remaining, flow=(*remaining.flow, remaining.step("without contradictions")))
    with context.progress.step("guessing without the patient"):
        document |= _baselines(remaining, request)
    notes = audit_notes(document, joined=groups is found.groups)
    for note in notes:
        context.progress.note(note)
    return Audited(remaining, document, tuple(notes))


def join_copies(
    records: Sequence[ImageRecord],
    pixels: Pixels,
    y: np.ndarray | None,
    groups: np.ndarray,
    request: TrainRequest,
    context: Context,
    *,
    sided: bool,
) -> tuple[ImageAudit, np.ndarray]:
    """What `audit_images` finds, and the patients to go on with: joined by copies, or `groups` as they are.

    The sides of a source (`sided`) are kept where the request leaves the choice to it: joining patients across them
    would only forbid them.
    """
    with context.progress.step("looking for copies"):
        found = audit_images(records, pixels, y, groups, near=request.near_duplicates, seed=request.seed)
    return found, groups if sided and request.validation == "auto" else found.groups


def _baselines(cohort: Cohort, request: TrainRequest) -> dict[str, Any]:
    """What the border alone and the metadata alone tell of the first target, in grouped cross-validation."""
    y = np.asarray(cohort.y[0])
    known = np.flatnonzero(np.isfinite(y.astype(float)))
    cohort, y = cohort.take(known), y[known]
    y = y if cohort.targets[0].task == "continuous" else y.astype(np.int64)
    try:
        fold = folds(
            groups=cohort.groups,
            strata=cohort.strata(np.arange(cohort.n)),
            n_folds=5,
            seed=task_seed(request.seed, "baselines"),
        )
    except SplitError:
        return {"border": None, "metadata": None}
    small = thumbnails(cohort.records, cohort.collection.pixels, _SIDE)
    return {
        "border": border_baseline(small, y, cohort.groups, fold, request.seed),
        "metadata": metadata_baseline(cohort.records, y, cohort.groups, fold, request.seed),
    }


def _same_channels(cohort: Cohort, request: TrainRequest) -> Cohort:
    """Without the images whose number of channels is not that of the networks; each is refused by name."""
    channels = candidates(cohort, request)[0].spec.channels
    wrong = [row for row, record in enumerate(cohort.records) if record.shape[0] != channels]
    if not wrong:
        return cohort
    said = "colour" if channels == 1 else "grey"
    refused = [
        Refused(cohort.records[row].name, f"a {said} image among others; see channels") for row in wrong
    ]
    kept = np.setdiff1d(np.arange(cohort.n), wrong)
    remaining = replace(cohort, refused=(*cohort.refused, *refused)).take(kept)
    return replace(remaining, flow=(*remaining.flow, remaining.step(f"with {channels} channels")))


def audit_notes(document: dict[str, Any], *, joined: bool) -> list[str]:
    """The document of an audit in words; `joined`: whether patients were joined by copies."""
    notes = []
    if document["n_exact"] or document["n_near"]:
        crossing = sum(document["n_by_sides"].values())
        where = (
            "kept on one side" if joined else f"{crossing} of them between sides of the source's own split"
        )
        notes.append(
            f"pairs of images: {document['n_exact']} identical, {document['n_near']} nearly identical, {where}"
        )
    if document.get("n_contradicting"):
        notes.append(
            f"{document['n_contradicting']} images are left out: the same picture stands elsewhere with another label"
        )
    if document["n_crossing"]:
        notes.append(
            f"{document['n_crossing']} held-out images have a copy on another side of the source's own split; "
            "the split is kept, and the report lists them"
        )
    border = document.get("border")
    if border is not None and border["metric"] == "auroc" and (border["low"] or 0.0) > 0.6:
        notes.append(
            f"the border of the images alone tells the finding with AUROC {border['value']:.2f}: annotations or "
            "machine settings give it away, and the network can learn them"
        )
    return notes
