"""A small clinic with known truth, and bundles that learned from it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from iatros.app import treatment
from iatros.treatment.simulation import Simulated, simulate


def table_of(made: Simulated) -> pl.DataFrame:
    """The responses as a long table."""
    subject, treatment_ = np.nonzero(made.given)
    return pl.DataFrame(
        {
            "subject_id": [f"Name{k:03d}" for k in subject],
            "treatment": [f"therapy {chr(ord('A') + k)}" for k in treatment_],
            "score": made.y[subject, treatment_].round(3),
            "day": made.day[subject, treatment_],
            "age": made.age[subject].round(1),
            "sex": np.where(made.sex[subject] == 1, "female", "male"),
            "marker": made.marker[subject].round(3),
        }
    )


@pytest.fixture(scope="session")
def made() -> Simulated:
    """140 subjects and 6 therapies."""
    return simulate(140, 6, seed=3)


@pytest.fixture(scope="session")
def responses(made: Simulated) -> pl.DataFrame:
    """Their responses."""
    return table_of(made)


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where bundles lie."""
    return tmp_path_factory.mktemp("bundles")


@pytest.fixture(scope="session")
def trained(responses: pl.DataFrame, folder: Path) -> dict[str, Any]:
    """A model of the kernel with covariates."""
    return treatment.train(
        responses, outcome="score", covariates="age,sex,marker", model="kernel,baseline", scale="0,10", folds=3,
        out=folder / "kernel", engine="serial",
    )  # fmt: skip


@pytest.fixture(scope="session")
def bundle(trained: dict[str, Any]) -> Path:
    """Its folder."""
    return Path(trained["bundle"])
