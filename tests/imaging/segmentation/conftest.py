"""Volumes with two structures whose place is known, in the Decathlon's layout, with voxels that are not cubes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

SPACING = (1.0, 0.8, 2.0)
"""mm along the axes of the NIfTI file: right, front, head."""


def make_volume(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Grey values and labels (right, front, head): a ball with its front half brighter and labelled 2, the rest 1."""
    rng = np.random.default_rng(seed)
    shape = (17 + seed % 3, 22, 11 - seed % 2)
    place = np.indices(shape)
    centre = np.array([8, 11, 5]) + rng.integers(-2, 3, size=3) * np.array([1, 1, 0])
    offset = (place - centre[:, None, None, None]) * np.reshape(SPACING, (3, 1, 1, 1))
    labels = (np.sqrt((offset**2).sum(axis=0)) < 5.0 + 0.3 * (seed % 4)).astype(np.uint8)
    labels[(labels == 1) & (offset[1] > 0)] = 2
    values = 100 + 60 * (labels == 1) + 140 * (labels == 2) + rng.normal(0, 12, shape)
    return values.astype(np.float32), labels


def write_decathlon(root: Path, seeds: range) -> Path:
    """`imagesTr` and `labelsTr` of one volume for each seed."""
    import nibabel

    affine = np.diag([*SPACING, 1.0])
    affine[:3, 3] = (-7.0, 3.0, 11.0)
    for name in ("imagesTr", "labelsTr"):
        (root / name).mkdir(parents=True, exist_ok=True)
    for seed in seeds:
        values, labels = make_volume(seed)
        nibabel.save(nibabel.Nifti1Image(values, affine), root / "imagesTr" / f"ball_{seed:02d}.nii.gz")
        nibabel.save(nibabel.Nifti1Image(labels, affine), root / "labelsTr" / f"ball_{seed:02d}.nii.gz")
    return root


@pytest.fixture(scope="session")
def balls(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten volumes."""
    return write_decathlon(tmp_path_factory.mktemp("balls"), range(10))
