"""The action `read`: what of a source can be read, and what is refused and why."""

from __future__ import annotations

from collections import Counter
from typing import Any

from iatros.core.context import Context, Produced
from iatros.imaging.cache import CachedPixels
from iatros.imaging.requests import ReadRequest
from iatros.imaging.schema import Collection, ImageRecord, Refused
from iatros.imaging.sources import open_collection


def read(request: ReadRequest, context: Context) -> Produced:
    """Every image, series and volume of the source with its shape and what is unusual, and every file refused.

    The table has one row per record, then one per refused file; `status` is read or refused. `reasons` counts
    the refused files by the words before the colon of their reason. `cache_bytes` is what the decoded pixels
    take on the disk.
    """
    collection = open_collection(request.images, context, window=request.window)
    cache_bytes = collection.store.size_bytes() if isinstance(collection.store, CachedPixels) else None
    refused = [{"name": one.name, "reason": one.reason} for one in collection.refused]
    result = {
        "domain": "imaging",
        "source": collection.source,
        "n_read": len(collection.records),
        "n_refused": len(refused),
        "n_files_read": len({file for record in collection.records for file in record.files}),
        "by_modality": counted(record.modality or "not said" for record in collection.records),
        "cache_bytes": cache_bytes,
        "reasons": counted(one.reason.partition(":")[0] for one in collection.refused),
        "records": [record_document(record) for record in collection.records],
        "refused": refused,
        "notes": [_summary(collection), *collection.notes],
    }
    return Produced(result, table=_table(collection))


def _summary(collection: Collection) -> str:
    n, m = len(collection.records), len(collection.refused)
    files = len({file for record in collection.records for file in record.files})
    what = "image or series" if n == 1 else "images or series"
    return f"{n} {what} read from {files} file{'' if files == 1 else 's'}, {m} refused"


def counted(words: Any) -> dict[str, int]:
    """How often each word comes, the most frequent first."""
    return dict(sorted(Counter(words).items(), key=lambda item: (-item[1], item[0])))


def record_document(record: ImageRecord) -> dict[str, Any]:
    """What there is to know about an image without knowing the patient."""
    return {
        "name": record.name,
        "modality": record.modality,
        "channels": record.shape[0],
        "slices": record.shape[1] if record.is_volume else None,
        "rows": record.shape[-2],
        "columns": record.shape[-1],
        "spacing_mm": None if record.spacing_mm is None else list(record.spacing_mm),
        "n_files": len(record.files),
        "body_part": record.body_part,
        "manufacturer": record.manufacturer,
        "scanner": record.scanner,
        "split": record.split,
        "mask": record.mask,
        "flags": list(record.flags),
        "sha256": record.sha256,
    }


def _table(collection: Collection) -> dict[str, list[Any]]:
    rows = [_read_row(record) for record in collection.records]
    rows += [_refused_row(one) for one in collection.refused]
    names = ("name", "status", "modality", "size", "spacing_mm", "split", "flags", "reason")
    return {name: [row.get(name) for row in rows] for name in names}


def _read_row(record: ImageRecord) -> dict[str, Any]:
    spatial = " x ".join(str(n) for n in record.shape[1:])
    spacing = None if record.spacing_mm is None else " x ".join(f"{mm:.3g}" for mm in record.spacing_mm)
    return {
        "name": record.name,
        "status": "read",
        "modality": record.modality,
        "size": f"{spatial}{' colour' if record.shape[0] == 3 else ''}",
        "spacing_mm": spacing,
        "split": record.split,
        "flags": "; ".join(record.flags) or None,
    }


def _refused_row(one: Refused) -> dict[str, Any]:
    return {"name": one.name, "status": "refused", "reason": one.reason}
