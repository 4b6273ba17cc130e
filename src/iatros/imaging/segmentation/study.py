"""The cases of a segmentation: images with label maps, whose they are, and what was refused."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from iatros.core.context import Context
from iatros.core.errors import OutcomeError
from iatros.core.request import fingerprint
from iatros.imaging.cohort import column, subject_codes
from iatros.imaging.schema import Collection, ImageRecord, Refused
from iatros.imaging.segmentation.evaluation import slug
from iatros.imaging.segmentation.masks import Case, MaskError, read_mask, structure_names
from iatros.imaging.segmentation.turned import turned, turned_pixels

_LISTED = 200


@dataclass(frozen=True)
class Study:
    """Images with label maps; `groups` is the patient of each as a number, `split` the side that the source names."""

    collection: Collection
    cases: tuple[Case, ...]
    structures: tuple[str, ...]
    named: bool
    """Whether the names of the structures were given, rather than counted."""
    groups: np.ndarray
    split: np.ndarray | None
    refused: tuple[Refused, ...]
    notes: tuple[str, ...]

    @property
    def n(self) -> int:
        """Number of cases."""
        return len(self.cases)

    @property
    def sites(self) -> np.ndarray | None:
        """The hospital of each case; None where no record names one."""
        return column([case.record for case in self.cases], "site")

    def sites_of(self, rows: np.ndarray) -> np.ndarray | None:
        """The hospital of each of `rows`; None where no record names one."""
        return None if self.sites is None else self.sites[rows]

    @property
    def seen(self) -> tuple[ImageRecord, ...]:
        """The record of each case as the network sees it."""
        return tuple(turned(case.record) for case in self.cases)

    def pixels(self, record: ImageRecord) -> np.ndarray:
        """Decoded pixels of a record."""
        return self.collection.pixels(record)

    def seen_pixels(self, record: ImageRecord) -> np.ndarray:
        """Decoded pixels of a record as the network sees them."""
        return turned_pixels(self.collection, record)

    def sizes(self, rows: np.ndarray) -> dict[str, int | None]:
        """Images and patients of a side."""
        return {"n_rows": len(rows), "n_patients": len(np.unique(self.groups[rows])), "n_events": None}

    def data(self) -> dict[str, Any]:
        """What was read and refused, and a fingerprint of images and label maps."""
        lines = [
            f"{case.record.sha256} {hashlib.sha256(case.mask.tobytes()).hexdigest()}" for case in self.cases
        ]
        return {
            "source": self.collection.source,
            "fingerprint": fingerprint("\n".join(sorted(lines)).encode()),
            "n_read": len(self.collection.records),
            "n_used": self.n,
            "n_refused": len(self.refused),
            "refused": [{"name": one.name, "reason": one.reason} for one in self.refused[:_LISTED]],
        }

    def flow(self) -> list[dict[str, Any]]:
        """Images read, and images with a label map that fits them."""
        read = subject_codes(self.collection.records)
        return [
            {"step": "read", "n_rows": len(read), "n_patients": len(np.unique(read))},
            {"step": "with a label map", **self.sizes(np.arange(self.n))},
        ]


def open_study(collection: Collection, names: tuple[str, ...], context: Context) -> Study:
    """Read the label map of every record; those without one, or with one that does not fit, are refused by name.

    `names` are those of the labels 1, 2 ...; where there are none, `dataset.json` of the Decathlon's layout gives
    them. Raises OutcomeError where no image has a label map or a label has no name.
    """
    cases, refused = [], list(collection.refused)
    with context.progress.step("reading label maps", total=len(collection.records)) as step:
        for record in collection.records:
            found = _case(record, collection.root)
            if isinstance(found, Refused):
                refused.append(found)
            else:
                cases.append(found)
            step.advance()
    if not cases:
        reasons = sorted({one.reason for one in refused})
        raise OutcomeError(
            f"no image has a label map that can be used: {'; '.join(reasons[:3]) or 'nothing could be read'}",
            hint="lay them out as imagesTr and labelsTr, or name them in a manifest's column mask",
        )
    given = names or _declared(Path(collection.root))
    structures = structure_names(cases, given)
    if len({slug(name) for name in structures}) < len(structures):
        raise OutcomeError("two structures have the same name, but for capitals and signs")
    sides = [case.record.split for case in cases]
    return Study(
        collection=collection,
        cases=tuple(cases),
        structures=structures,
        named=bool(given),
        groups=subject_codes([case.record for case in cases]),
        split=None if all(side is None for side in sides) else np.array([side or "" for side in sides]),
        refused=tuple(refused),
        notes=collection.notes,
    )


def _case(record: ImageRecord, root: str) -> Case | Refused:
    if record.mask is None:
        return Refused(record.name, "image without label map")
    try:
        return Case(record, read_mask(record, root))
    except MaskError as error:
        return Refused(record.name, error.message)


def _declared(root: Path) -> tuple[str, ...]:
    """Names of the labels in `dataset.json`, in their order; none where the file is not there or says nothing."""
    path = root / "dataset.json"
    if not path.is_file():
        return ()
    try:
        labels = json.loads(path.read_text(encoding="utf-8"))["labels"].items()
        pairs = dict(_pair(one, other) for one, other in labels)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise OutcomeError("the labels cannot be read", where="dataset.json") from error
    highest = max(pairs, default=0)
    missing = [value for value in range(1, highest + 1) if value not in pairs]
    if missing:
        raise OutcomeError(f"the label {missing[0]} has no name", where="dataset.json")
    return tuple(pairs[value] for value in range(1, highest + 1))


def _pair(one: str, other: str | int) -> tuple[int, str]:
    """Value and name of a label, written either way round: the Decathlon has `"1": "liver"`, nnU-Net `"liver": 1`."""
    return (int(one), str(other)) if one.isdigit() else (int(other), one)
