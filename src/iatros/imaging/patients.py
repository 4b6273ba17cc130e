"""The patient table of a fusion network: which columns it learns from, and what is known of each record."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from iatros.core.errors import unknown_name
from iatros.imaging.fusion_table import TableEncoder, table_frame
from iatros.imaging.schema import ImageRecord

if TYPE_CHECKING:
    import polars as pl

_ROLES = ("path", "mask", "split", "site", "subject_id", "series_uid", "study_uid")
_OF_THE_FILE = ("sex", "age")


def patient_columns(
    records: Sequence[ImageRecord], features: Sequence[str], leave_out: Sequence[str]
) -> tuple[str, ...]:
    """The columns to learn from: those asked for, or all but labels (`leave_out`) and columns with a role.

    Sex and age of the image file count as columns where the table has none of that name. Raises UnknownNameError
    for a column that no record has.
    """
    known = list(dict.fromkeys(name for record in records for name in _known(record)))
    for name in features:
        if name not in known:
            raise unknown_name("column", name, known)
    return tuple(features) or tuple(name for name in known if name not in (*leave_out, *_ROLES))


def patient_frame(records: Sequence[ImageRecord], columns: Sequence[str]) -> pl.DataFrame:
    """What is known of each record in `columns`, one row per record."""
    return table_frame([replace(record, columns=_known(record)) for record in records], columns)


def encoded(encoder: TableEncoder | None, records: Sequence[ImageRecord]) -> np.ndarray | None:
    """The rows (n, n_columns) that a fusion network takes beside its images; None for other networks."""
    return None if encoder is None else encoder.apply(patient_frame(records, encoder.columns))


def _known(record: ImageRecord) -> dict[str, str | float | None]:
    own = {name: getattr(record, name) for name in _OF_THE_FILE if getattr(record, name) is not None}
    return {**own, **record.columns}
