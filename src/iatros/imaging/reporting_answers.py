"""From what a model said about a record to the plain answer that hospital documents are made from."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from iatros.core.bundle import Bundle
from iatros.core.conformal import ConformalInterval, ConformalSet
from iatros.core.task import Target
from iatros.imaging.deidentification import Keyed, Removal, burnt_in
from iatros.imaging.deidentification import deidentify as deidentify_dataset
from iatros.imaging.findings import Software, TargetAnswer
from iatros.imaging.findings.source import header
from iatros.imaging.schema import Collection, ImageRecord
from iatros.imaging.sources.dicom_header import quiet
from iatros.imaging.sources.listing import Found, look_at
from iatros.version import __version__

_RUN_TIME = re.compile(r"(\d{8}T\d{6}Z)-.*")


@dataclass
class Sources:
    """Reads the headers of source instances, de-identified where asked, and counts what was removed."""

    collection: Collection
    keyed: Keyed | None = None
    removed: Counter[Removal] = field(default_factory=Counter)

    def headers(self, record: ImageRecord) -> tuple[tuple[Any, ...], list[str]]:
        """One header per instance in the order of the slices, and remarks; none where the record is not DICOM."""
        import pydicom

        made, remarks = [], []
        for name in record.files:
            path = Path(self.collection.root) / name
            looked = look_at(path, name)
            if not isinstance(looked, Found) or looked.kind != "dicom":
                return (), []
            with quiet():
                dataset = pydicom.dcmread(path, stop_before_pixels=True, force=True)
                if self.keyed is not None:
                    reason = burnt_in(dataset)
                    dataset, removals = deidentify_dataset(dataset, self.keyed)
                    self.removed.update(removals)
                    if reason is not None:
                        remarks.append(f"the picture may show the patient: {reason}")
                made.append(header(dataset))
        return tuple(made), list(dict.fromkeys(remarks))


def software(bundle: Bundle) -> Software:
    """How documents name the bundle."""
    return Software(str(bundle.manifest["model"]), bundle.name, bundle.manifest_sha256, __version__)


def time_of(run_id: str) -> datetime:
    """When a run began: its id begins with the time in UTC; now for an id that does not."""
    found = _RUN_TIME.fullmatch(run_id)
    if found is None:
        return datetime.now(UTC).replace(microsecond=0)
    return datetime.strptime(found[1], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)


def target_answer(
    target: Target,
    rule: ConformalSet | ConformalInterval | None,
    prediction: Any,
    threshold: float | None,
) -> TargetAnswer:
    """One target's calibrated `prediction` (a number, or one per class) with its conformal rule applied."""
    alone = np.asarray([prediction], dtype=float)
    level = None if rule is None else float(rule.confidence_level)
    if target.task == "continuous":
        interval = None
        if isinstance(rule, ConformalInterval):
            low, high = rule.apply(alone)
            if np.isfinite([low[0], high[0]]).all():
                interval = (float(low[0]), float(high[0]))
        return TargetAnswer(
            target.name,
            target.task,
            value=float(alone[0]),
            unit=target.unit,
            confidence_level=level,
            interval=interval,
        )
    by_class = alone[0] if alone.ndim == 2 else np.array([1 - alone[0], alone[0]])
    held = None
    if isinstance(rule, ConformalSet):
        inside = rule.sets(alone)[0]
        held = tuple(name for name, kept in zip(target.classes, inside, strict=True) if kept)
    return TargetAnswer(
        target.name,
        target.task,
        target.classes,
        tuple(float(value) for value in by_class),
        confidence_level=level,
        conformal_set=held,
        threshold=threshold,
    )


def safe_name(name: str, number: int, *, hidden: bool) -> str:
    """A file name for the documents of a record: its own name, or only a number where names may tell who it is.

    >>> safe_name("ward 3/chest.dcm", 4, hidden=False), safe_name("ward 3/chest.dcm", 4, hidden=True)
    ('0004-ward-3-chest', '0004')
    """
    if hidden:
        return f"{number:04d}"
    stem = re.sub(r"[^A-Za-z0-9_]+", "-", re.sub(r"\.[A-Za-z0-9.]{1,8}$", "", name)).strip("-")
    return f"{number:04d}-{stem[-80:]}".rstrip("-")
