"""Simulated visits, a model trained on them, and small histories by hand."""

from __future__ import annotations

import numpy as np
import pytest

from iatros.core.bundle import write_bundle
from iatros.core.context import Context
from iatros.treatment.sequences.actions import train_sequences
from iatros.treatment.sequences.estimator import Learning
from iatros.treatment.sequences.settings import SequenceSettings
from iatros.treatment.sequences.simulation import simulate_visits
from iatros.treatment.sequences.sources import Columns, read_histories
from iatros.treatment.sequences.splits import asked, cut
from iatros.treatment.sequences.vocabulary import fit_vocabulary

COLUMNS = Columns(visit="visit", time="day")
QUICK = {"members": 1, "embedding": 16, "units": 16, "hidden": 32, "max_epochs": 6}

HAND = [
    ("ann", 1, 0.0, "diagnosis", "flu"), ("ann", 1, 0.0, "medication", "a"), ("ann", 1, 0.0, "medication", "b"),
    ("ann", 2, 30.0, "diagnosis", "flu"), ("ann", 2, 30.0, "diagnosis", "rash"), ("ann", 2, 30.0, "medication", "c"),
    ("bob", 7, 5.0, "diagnosis", "rash"), ("bob", 7, 5.0, "procedure", "scan"),
    ("cy", 4, 9.0, "medication", "a"),
]  # fmt: skip


def as_rows(lines):
    return [dict(zip(("subject_id", "visit", "day", "kind", "code"), line, strict=True)) for line in lines]


@pytest.fixture
def hand():
    """Ann has two visits, Bob one without a medication, Cy one with nothing else."""
    return read_histories(as_rows(HAND), COLUMNS).histories


@pytest.fixture(scope="session")
def simulated():
    return simulate_visits(450, seed=1)


@pytest.fixture(scope="session")
def trained(simulated, tmp_path_factory):
    """What training gave, and the folder of its bundle."""
    settings = SequenceSettings("gru", {"members": 2, "max_epochs": 40}, n_bootstrap=100)
    produced = train_sequences(
        settings, simulated.rows, COLUMNS, Context(), covariates=simulated.subjects,
        interactions=simulated.interactions, request={"table": {"rows": len(simulated.rows)}},
    )  # fmt: skip
    return produced, write_bundle(produced.bundle, tmp_path_factory.mktemp("bundles") / "next")


@pytest.fixture(scope="session")
def small():
    """Histories, visits in places, and sides, of 120 simulated subjects."""
    histories = read_histories(simulate_visits(120, seed=4).rows, COLUMNS).histories
    (sides,), _ = cut(histories, asked(histories), "held-out", seed=0)
    learned = np.zeros(histories.n_visits, dtype=bool)
    learned[sides.train] = True
    encoded = fit_vocabulary(histories, learned).encode(histories)
    return histories, encoded, sides, Learning(encoded, sides.train, sides.tuning)
