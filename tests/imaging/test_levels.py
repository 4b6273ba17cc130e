"""Slices and studies: what a study's answer and truth are, and that intervals are of patients."""

from __future__ import annotations

import numpy as np
import pytest

from iatros.core.errors import InputError
from iatros.core.task import Target
from iatros.imaging.levels import slice_and_study

BINARY = Target("bleed", "binary", ("no", "yes"))
CELLS = Target("cell", "multiclass", ("a", "b", "c"))
VOLUME = Target("volume", "continuous", unit="ml")
STUDIES = np.array(["s2", "s1", "s2", "s1", "s3", "s2", "s4", "s5"])
PATIENTS = np.array([7, 9, 7, 9, 4, 7, 1, 2])


def test_a_study_is_the_mean_of_its_slices() -> None:
    y = np.array([1, 0, 1, 0, 1, 1, 0, 0])
    p = np.array([0.9, 0.2, 0.3, 0.6, 0.7, 0.3, 0.1, 0.55])
    found = slice_and_study(BINARY, y, p, STUDIES, PATIENTS)
    assert (found["slice"]["n"], found["study"]["n"]) == (8, 5)
    assert found["how"] == "the mean of its slices"
    # s1 0.40, s2 0.50, s3 0.70, s4 0.10, s5 0.55 with s2 and s3 positive
    assert found["study"]["metrics"]["accuracy"]["value"] == pytest.approx(4 / 5)
    assert found["study"]["metrics"]["auroc"]["value"] == pytest.approx(5 / 6)
    assert found["slice"]["metrics"]["accuracy"]["value"] == pytest.approx(4 / 8)
    assert found["slices_per_study"] == {"least": 1, "median": 1.0, "most": 3}
    assert "patients" in found["slice"]["metrics"]["accuracy"]["interval"]


def test_a_network_may_answer_for_the_study_itself() -> None:
    y = np.array([1, 0, 1, 0, 1, 1, 0, 0])
    own = {"s1": 0.1, "s2": 0.9, "s3": 0.8, "s4": 0.2, "s5": 0.3}
    found = slice_and_study(BINARY, y, np.full(8, 0.5), STUDIES, PATIENTS, own=own)
    assert found["how"] == "the network's own"
    assert found["study"]["metrics"]["auroc"]["value"] == 1.0


def test_a_finding_on_one_slice_is_a_finding_of_the_study() -> None:
    y = np.array([0, 0, 1, 0, 1, 0, 0, 0])
    p = np.array([0.2, 0.6, 0.8, 0.1, 0.7, 0.3, 0.4, 0.1])
    found = slice_and_study(BINARY, y, p, STUDIES, PATIENTS)
    assert found["how"] == "the highest of its slices"
    # s1 0.6, s2 0.8, s3 0.7, s4 0.4, s5 0.1 with s2 and s3 positive
    assert found["study"]["metrics"]["auroc"]["value"] == 1.0
    assert found["study"]["metrics"]["accuracy"]["value"] == pytest.approx(4 / 5)


def test_classes_and_quantities_are_averaged_and_unknowns_left_out() -> None:
    rng = np.random.default_rng(3)
    studies = np.repeat(np.arange(30), 3)
    y = np.repeat(np.resize([0, 1, 2, 0], 30), 3).astype(float)
    p = rng.dirichlet(np.ones(3), 90)
    found = slice_and_study(CELLS, y, p, studies, studies)
    expected = (p.reshape(30, 3, 3).mean(axis=1).argmax(axis=1) == y[::3]).mean()
    assert found["study"]["metrics"]["accuracy"]["value"] == pytest.approx(expected)
    amounts = np.repeat(rng.normal(40, 8, 30), 3)
    amounts[:3] = np.nan
    said = np.nan_to_num(amounts) + rng.normal(0, 4, 90)
    levels = slice_and_study(VOLUME, amounts, said, studies, studies)
    assert (levels["slice"]["n"], levels["study"]["n"]) == (87, 29)
    errors = np.abs(said.reshape(30, 3).mean(axis=1)[1:] - amounts[3::3])
    assert levels["study"]["metrics"]["mae"]["value"] == pytest.approx(errors.mean())


def test_studies_that_cannot_be_are_refused() -> None:
    y = np.array([0, 1, 2, 1, 0, 0, 2, 1])
    with pytest.raises(InputError, match="slices of one study differ in cell"):
        slice_and_study(CELLS, y, np.full((8, 3), 1 / 3), STUDIES, PATIENTS)
    with pytest.raises(InputError, match="more than one patient"):
        slice_and_study(BINARY, (y > 0).astype(int), np.full(8, 0.5), STUDIES, np.arange(8))
