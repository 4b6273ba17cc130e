"""Findings: the answers as hospital systems take them, written down, and stored in a PACS where asked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from iatros.core.bundle import Bundle
from iatros.core.context import Context, Produced
from iatros.core.errors import AuthenticationError, InputError, RequestError, StorageError
from iatros.imaging.answering import Answers, answer_collection
from iatros.imaging.deidentification import Keyed, removal_rows, secret_of_environment
from iatros.imaging.findings import KINDS, Answer, Findings
from iatros.imaging.findings import findings as make_findings
from iatros.imaging.findings.wording import conclusion
from iatros.imaging.pacs import DicomWeb, Dimse
from iatros.imaging.prediction import naming, open_imaging
from iatros.imaging.reporting_answers import Sources, safe_name, software, target_answer, time_of
from iatros.imaging.reporting_overlays import Overlays
from iatros.imaging.requests import FindingsRequest
from iatros.imaging.schema import Refused
from iatros.imaging.sources import open_collection


def findings(request: FindingsRequest, context: Context) -> Produced:
    """Documents `sr/NAME.dcm`, `sc/NAME.dcm`, `seg/NAME.dcm` and `fhir/NAME.json` of each image or study.

    All carry the run id. An image that a quality gate refuses gets no documents but a reason. With `dicomweb` or
    `cstore` the DICOM objects are stored there too, and the result says what the PACS answered for each; the PACS
    is asked first whether it is there. Raises RequestError for an unknown kind, StorageError where nothing could be
    stored.
    """
    unknown = sorted(set(request.objects) - set(KINDS))
    if unknown or not request.objects:
        said = f"no document is called {', '.join(unknown)}" if unknown else "no document is named"
        raise RequestError(f"objects: {said}", hint=f"allowed: {', '.join(KINDS)}")
    stores = _stores(request)
    bundle = open_imaging(request.model)
    with context.progress.step("reading images"):
        collection = open_collection(
            request.images, context, table=request.table, window=bundle.manifest["request"].get("window")
        )
    keyed = Keyed.of(secret_of_environment()) if request.deidentify else None
    sources = Sources(collection, keyed)
    rows: list[dict[str, Any]] = []
    documents: dict[str, bytes] = {}
    refused: list[Refused] = []
    answers = _answers(bundle, sources, refused, request, context)
    for number, (answer, reason) in enumerate(answers, start=1):
        row: dict[str, Any] = {"name": answer.record, "status": "refused" if reason else "written"}
        if reason:
            rows.append(row | {"reason": reason, "objects": [], "documents": []})
            continue
        made = make_findings(answer, request.objects)
        written = made.documents(safe_name(answer.record, number, hidden=request.deidentify))
        documents |= written
        row |= {
            "conclusion": conclusion(answer),
            "documents": sorted(written),
            "objects": _objects(made, stores),
            "notes": [*answer.notes, *made.notes],
        }
        rows.append(row)
    return _produced(bundle, request, rows, refused, documents, sources, context)


def _answers(
    bundle: Bundle, sources: Sources, refused: list[Refused], request: FindingsRequest, context: Context
) -> Iterator[tuple[Answer, str | None]]:
    """The answer to each record, or why a quality gate gives none; what cannot be asked goes to `refused`."""
    collection = sources.collection
    if bundle.manifest["task"] == "segmentation":
        from iatros.imaging.reporting_masks import segmented
        from iatros.imaging.segmentation.prediction import segment_collection

        masks = segment_collection(bundle, collection, context)
        refused += masks.refused
        yield from segmented(bundle, masks, sources, context)
        return
    answers = answer_collection(bundle, collection, context)
    refused += answers.refused
    pictured = "sc" in request.objects or "sr" in request.objects
    overlays = Overlays(bundle, collection, answers, request.method) if pictured else None
    with context.progress.step("writing findings", total=len(answers.records)) as step:
        for row in range(len(answers.records)):
            yield _answer(row, bundle, answers, sources, request, overlays, context), answers.rejected(row)
            step.advance()


def _answer(
    row: int,
    bundle: Bundle,
    answers: Answers,
    sources: Sources,
    request: FindingsRequest,
    overlays: Overlays | None,
    context: Context,
) -> Answer:
    record, model = answers.records[row], answers.model
    headers, remarks = sources.headers(record)
    drawn = (
        overlays is not None and ("sc" in request.objects or not headers) and answers.rejected(row) is None
    )
    picture = overlays.draw(row) if overlays is not None and drawn else None
    targets = tuple(
        target_answer(target, rule, prediction[row], threshold_of(bundle, target.name))
        for target, rule, prediction in zip(model.targets, model.conformal, answers.predictions, strict=True)
    )
    return Answer(
        record=record.name,
        record_sha256=record.sha256,
        run_id=context.run_id,
        at=time_of(context.run_id),
        software=software(bundle),
        targets=targets,
        sources=headers,
        flags=(*record.flags, *(finding.message for finding in answers.findings[row])),
        overlay=None if picture is None else picture.rgb,
        overlay_method="" if picture is None else f"{request.method}, what speaks for {picture.answer}",
        key_slices=() if picture is None else picture.key_slices,
        notes=tuple(remarks),
    )


def threshold_of(bundle: Bundle, target: str) -> float | None:
    """The threshold by Youden's index of a binary target, from the bundle; None where it names none."""
    for cut in bundle.manifest.get("chosen_thresholds") or []:
        if cut["name"] == "youden" and cut.get("target", target) == target:
            return float(cut["threshold"])
    return None


def _stores(request: FindingsRequest) -> list[DicomWeb | Dimse]:
    """The PACS that were named, asked whether they are there before any work is done."""
    stores: list[DicomWeb | Dimse] = []
    if request.dicomweb is not None:
        server = DicomWeb(request.dicomweb)
        server.find_series({}, limit=1)
        stores.append(server)
    if request.cstore is not None:
        node = Dimse(request.cstore)
        node.echo()
        stores.append(node)
    return stores


def _objects(made: Findings, stores: Sequence[DicomWeb | Dimse]) -> list[dict[str, Any]]:
    """The DICOM objects by class and UID, and what each PACS said; a PACS that fails midway does not lose the rest."""
    objects = list(made.objects.items())
    answers: dict[str, list[dict[str, str]]] = {kind: [] for kind, _ in objects}
    for store in stores:
        try:
            said = store.store([one for _, one in objects])
        except (StorageError, InputError, AuthenticationError) as error:
            failed = {"place": store.place, "status": "failed", "code": error.message}
            for kind, _ in objects:
                answers[kind].append(failed)
            continue
        for (kind, _), one in zip(objects, said, strict=True):
            answers[kind].append({"place": one.place, "status": one.status, "code": one.code})
    return [
        {
            "kind": kind,
            "sop_class_uid": str(one.SOPClassUID),
            "sop_instance_uid": str(one.SOPInstanceUID),
            "series_uid": str(one.SeriesInstanceUID),
            "study_uid": str(one.StudyInstanceUID),
            "stored": answers[kind],
        }
        for kind, one in objects
    ]


def _produced(
    bundle: Bundle,
    request: FindingsRequest,
    rows: list[dict[str, Any]],
    unread: list[Refused],
    documents: dict[str, bytes],
    sources: Sources,
    context: Context,
) -> Produced:
    answers = [answer for row in rows for one in row["objects"] for answer in one["stored"]]
    stored = sum(answer["status"] in ("stored", "warning") for answer in answers)
    if answers and not stored:
        first = answers[0]
        raise StorageError(
            f"none of {len(answers)} objects was stored ({first['code']})", where=first["place"]
        )
    notes = []
    refused = sum(row["status"] == "refused" for row in rows)
    if refused == len(rows):
        reasons = sorted({str(row["reason"]) for row in rows})
        raise InputError(
            f"no image has an answer to write, a quality gate refuses all {len(rows)}: {'; '.join(reasons[:2])}",
            hint="use images of the kind that the model learned from",
        )
    if refused:
        notes.append(f"{refused} of {len(rows)} images failed a quality gate and have no documents")
    if unread:
        notes.append(f"{len(unread)} files could not be read or do not fit the model; see refused")
    if len(answers) > stored:
        notes.append(f"{len(answers) - stored} of {len(answers)} objects were not stored; see findings")
    if request.deidentify and secret_of_environment() is None:
        notes.append(
            "pseudonyms, UIDs and dates are those of a random key; set IATROS_DEIDENTIFICATION_KEY to repeat them"
        )
    for note in notes:
        context.progress.note(note)
    result: dict[str, Any] = {
        **naming(bundle),
        "n": len(rows),
        "n_written": len(rows) - refused,
        "n_stored": stored,
        "deidentified": request.deidentify,
        "findings": rows,
        "refused": [{"name": one.name, "reason": one.reason} for one in unread],
        "removed": removal_rows(sources.removed),
        "notes": notes,
    }
    return Produced(result, documents=documents)
