"""Label maps as NIfTI files."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np

from iatros.core.errors import InputError
from iatros.imaging.segmentation.masks import aligned

_LABEL = 1002
"""NIfTI's intent code of a label map."""


def nifti_bytes(
    label_map: np.ndarray, affine: tuple[tuple[float, ...], ...], *, source: Path | None = None
) -> bytes:
    """`label_map` (slices, rows, columns), uint8, as the bytes of a .nii.gz; the same map gives the same bytes.

    `affine` takes its voxels to mm (RAS+), as that of an `ImageRecord`. With `source`, the NIfTI file that the map was
    made from, it is stored in that file's order of axes and with its affine, voxel on voxel; without, columns first.
    """
    import nibabel

    placed = np.asarray(affine, dtype=np.float64)
    if label_map.ndim != 3:
        raise InputError(f"a NIfTI label map has three axes, got {label_map.ndim}")
    if source is None:
        values, stored = label_map.transpose(2, 1, 0), placed[:, [2, 1, 0, 3]]
    else:
        header = nibabel.load(source)
        stored = np.asarray(header.affine, dtype=np.float64)
        values = aligned(label_map, placed, tuple(header.shape[:3]), stored, where=source.name)
    image = nibabel.Nifti1Image(np.ascontiguousarray(values, dtype=np.uint8), stored)
    image.header.set_intent(_LABEL, name="structures")
    image.header.set_xyzt_units("mm")
    return gzip.compress(image.to_bytes(), mtime=0)
