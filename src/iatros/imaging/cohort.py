"""The cohort: which images are learned from or judged on, what is true of each, and to whom they belong."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from iatros.core.errors import OutcomeError, SplitError, unknown_name
from iatros.core.request import fingerprint
from iatros.core.splits import strata_of
from iatros.core.subgroups import age_band
from iatros.core.task import Target
from iatros.imaging.labels import read_labels
from iatros.imaging.requests import TrainRequest
from iatros.imaging.schema import Collection, ImageRecord, Objective, Refused

SIDES = ("train", "tuning", "calibration", "held_out")
_LISTED = 200


@dataclass(frozen=True)
class Cohort:
    """Labelled records; all arrays have one entry per record."""

    collection: Collection
    records: tuple[ImageRecord, ...]
    targets: tuple[Target, ...]
    objective: Objective
    y: tuple[np.ndarray, ...]
    """One array per target, as core/task.py has them; float with NaN where one of several labels is not known."""
    groups: np.ndarray
    """The patient of each record, as a number."""
    split: np.ndarray | None
    """The side that the source gives each record."""
    refused: tuple[Refused, ...]
    notes: tuple[str, ...]
    flow: tuple[dict[str, Any], ...]

    @property
    def n(self) -> int:
        """Number of records."""
        return len(self.records)

    @property
    def sites(self) -> np.ndarray | None:
        """The hospital of each record; None where no record names one."""
        sites = np.array([record.site for record in self.records], dtype=object)
        return None if all(site is None for site in sites) else sites

    def take(self, rows: np.ndarray) -> Cohort:
        """Only `rows`, in that order."""
        return replace(
            self,
            records=tuple(self.records[row] for row in rows),
            y=tuple(values[rows] for values in self.y),
            groups=self.groups[rows],
            split=None if self.split is None else self.split[rows],
        )

    def strata(self, rows: np.ndarray) -> np.ndarray:
        """What sides are balanced on: the classes, fifths of a quantity, or which of several labels are present."""
        if len(self.targets) > 1:
            present = np.nansum(np.column_stack([values[rows] for values in self.y]), axis=1)
            return np.where(present > 0, "some", "none")
        return strata_of(self.targets[0], self.y[0][rows])

    def sizes(self, rows: np.ndarray) -> dict[str, int | None]:
        """Images, patients and findings of a side."""
        first = self.targets[0]
        events = int(self.y[0][rows].sum()) if len(self.targets) == 1 and first.task == "binary" else None
        return {"n_rows": len(rows), "n_patients": len(np.unique(self.groups[rows])), "n_events": events}

    def step(self, name: str) -> dict[str, Any]:
        """A step of the flow diagram: what remains of the images and patients."""
        return _step(name, self.records)

    def training_labels(self) -> np.ndarray:
        """Labels as `fitting.TrainingData` takes them for the objective."""
        if self.objective == "binary-cross-entropy":
            return np.column_stack(self.y)
        return self.y[0] if self.objective == "squared-error" else self.y[0].astype(np.int64)

    def data(self) -> dict[str, Any]:
        """What was read and refused, and a fingerprint of the images and labels that were used."""
        lines = [
            f"{record.sha256} {' '.join(f'{values[row]:g}' for values in self.y)}"
            for row, record in enumerate(self.records)
        ]
        return {
            "source": self.collection.source,
            "fingerprint": fingerprint("\n".join(sorted(lines)).encode()),
            "n_read": len(self.collection.records),
            "n_used": self.n,
            "n_refused": len(self.refused),
            "refused": [{"name": one.name, "reason": one.reason} for one in self.refused[:_LISTED]],
        }


def open_cohort(collection: Collection, request: TrainRequest) -> Cohort:
    """Label the records of `collection` as `request` asks; records without a label are refused by name."""
    records = collection.records
    if not records:
        raise OutcomeError(
            "no image could be read", hint="iatros imaging read lists each file with its reason"
        )
    labels = read_labels(
        records, request.label, task=request.task, positive=request.positive, loss=request.loss
    )
    known = labels.known()
    refused = [
        Refused(record.name, "image without label")
        for record, there in zip(records, known, strict=True)
        if not there
    ]
    kept = np.flatnonzero(known)
    cohort = Cohort(
        collection=collection,
        records=records,
        targets=labels.targets,
        objective=labels.objective,
        y=labels.y,
        groups=subject_codes(records),
        split=_given_sides(records),
        refused=(*collection.refused, *refused),
        notes=(*collection.notes, labels.note),
        flow=(),
    ).take(kept)
    steps = (_step("read", records), cohort.step("with a label"))
    whole = tuple(_whole(target, values) for target, values in zip(cohort.targets, cohort.y, strict=True))
    return replace(cohort, y=whole, flow=steps)


def _whole(target: Target, y: np.ndarray) -> np.ndarray:
    return y if target.task == "continuous" or np.isnan(y).any() else y.astype(np.int64)


def _step(name: str, records: Sequence[ImageRecord]) -> dict[str, Any]:
    return {"step": name, "n_rows": len(records), "n_patients": len(set(subject_codes(records).tolist()))}


def subject_codes(records: Sequence[ImageRecord]) -> np.ndarray:
    """The patient of each record as a number; without a patient's name the study, and without one the record."""
    names = [record.subject or record.study_uid or f"\0{place}" for place, record in enumerate(records)]
    _, codes = np.unique(np.array(names, dtype=object).astype(str), return_inverse=True)
    return np.asarray(codes, dtype=np.int64)


def column(records: Sequence[ImageRecord], name: str) -> np.ndarray | None:
    """A column of the manifest, or a field of the record of that name, as text; None where no record has it."""
    values = [_value(record, name) for record in records]
    if all(value is None for value in values):
        return None
    return np.array([None if value is None else str(value) for value in values], dtype=object)


def _value(record: ImageRecord, name: str) -> Any:
    value = (
        getattr(record, name, None)
        if name in ("site", "sex", "scanner", "manufacturer", "modality", "body_part")
        else None
    )
    return record.columns.get(name) if value is None else value


def ages(records: Sequence[ImageRecord]) -> np.ndarray:
    """Age in years of each record, NaN where not known."""
    found = [record.age if record.age is not None else record.columns.get("age") for record in records]
    return np.array([_float(value) for value in found])


def _float(value: Any) -> float:
    try:
        return float("nan") if value is None else float(value)
    except ValueError:
        return float("nan")


def subgroup_labels(records: Sequence[ImageRecord], asked: Sequence[str]) -> dict[str, np.ndarray]:
    """Labels by subgrouping: sex, age band, scanner and site where known, and the columns that were asked for."""
    found: dict[str, np.ndarray] = {}
    for name in ("sex", "scanner", "site"):
        values = column(records, name)
        if values is not None and len({value for value in values if value is not None}) > 1:
            found[name] = values
    years = ages(records)
    if np.isfinite(years).any():
        found["age_band"] = age_band(years)
    for name in asked:
        values = found.get(name, column(records, name))
        if values is None:
            raise unknown_name(
                "column", name, sorted({key for record in records[:1000] for key in record.columns})
            )
        found[name] = values
    return found


def _given_sides(records: Sequence[ImageRecord]) -> np.ndarray | None:
    sides = [record.split for record in records]
    if all(side is None for side in sides):
        return None
    unknown = sum(side is None for side in sides)
    if unknown:
        raise SplitError(
            f"{unknown} of {len(sides)} images have no side, the others have one",
            hint="fill the split column for all images, or for none",
        )
    if "train" not in sides:
        raise SplitError("no image is on the train side", hint=f"sides are {', '.join(SIDES)}")
    return np.array(sides, dtype=object)
