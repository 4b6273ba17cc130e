"""What a training works on: the visits, what does not change of their subjects, and which medications interact."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from iatros.core.errors import OutcomeError, unknown_name
from iatros.learners.tabular.reading import read_table
from iatros.learners.tabular.table import Table
from iatros.treatment.responses.features import FeatureReader, describe, described_by
from iatros.treatment.sequences.interactions import Interactions, read_interactions
from iatros.treatment.sequences.schema import Histories
from iatros.treatment.sequences.sources import Account, Columns, read_histories
from iatros.treatment.sequences.splits import asked


@dataclass(frozen=True)
class Study:
    """`rows` are the visits whose medications are asked for; `covariates` has one row for each subject."""

    histories: Histories
    rows: np.ndarray
    columns: Columns
    covariates: Table | None
    interactions: Interactions | None
    account: Account
    source: str

    def reader(self, subjects: np.ndarray) -> FeatureReader | None:
        """How covariates become numbers, learned on the subjects at `subjects` alone."""
        if self.covariates is None:
            return None
        names = [self.histories.subjects[k] for k in subjects]
        return describe(self.covariates, self.columns.subject, names, what="subjects").reader

    def static(self, reader: FeatureReader | None) -> np.ndarray | None:
        """The covariates of every subject as numbers, or None without any."""
        return static_of(reader, self.covariates, self.columns.subject, self.histories.subjects)

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the visits: who, when, what."""
        h = self.histories
        digest = hashlib.sha256("\0".join(h.subjects).encode() + h.start.tobytes() + h.time.tobytes())
        for kind, codes in h.codes.items():
            digest.update(
                "\0".join((kind, *codes.names)).encode() + codes.start.tobytes() + codes.code.tobytes()
            )
        if self.covariates is not None:
            digest.update(self.covariates.fingerprint().encode())
        return digest.hexdigest()


def open_study(
    table: Any, columns: Columns, *, min_history: int, visits: Any, covariates: Any, interactions: Any
) -> Study:
    """Read everything; OutcomeError where no visit can be asked about."""
    read = read_histories(table, columns, visits=visits)
    rows = asked(read.histories, min_history=min_history)
    if not len(rows):
        raise OutcomeError(
            f"no visit has a medication and {min_history} earlier visits", where=read.source,
            hint="lower min_history, or give subjects with more visits",
        )  # fmt: skip
    described = None if covariates is None else read_table(covariates)
    if described is not None and columns.subject not in described.frame.columns:
        raise unknown_name("column", columns.subject, described.frame.columns, where=described.source)
    pairs = None if interactions is None else read_interactions(interactions)
    return Study(read.histories, rows, columns, described, pairs, read.account, read.source)


def static_of(
    reader: FeatureReader | None, table: Table | None, key: str, subjects: Sequence[str]
) -> np.ndarray | None:
    """Covariates as float32 (subjects, k); a subject without a row gets what stands for nothing known."""
    if reader is None:
        return None
    if table is None:
        return np.repeat(reader.neutral().values, len(subjects), axis=0).astype(np.float32)
    return described_by(reader, table, key, subjects, what="subjects").values.astype(np.float32)
