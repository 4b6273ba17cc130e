"""What protects the machine from files that are small on disk and huge once decoded."""

from __future__ import annotations

from iatros.core.errors import InputError

MAX_FILE_BYTES = 4 * 1024**3
"""Largest file that is opened."""
MAX_PLANE_PIXELS = 2**27
"""Rows x columns of one image, 134 million; a digital mammogram has 20 million."""
MAX_VOXELS = 2**29
"""Rows x columns x slices (or frames) of one volume; 512 x 512 x 2048."""
MAX_FILES = 2_000_000
"""Files that one folder may hold."""
MAX_INLINE_FILES = 2000
"""Files that one request may bring along."""
MAX_INLINE_BYTES = 512 * 1024**2
"""Bytes of all files that one request may bring along."""


class UnreadableError(InputError):
    """One file cannot be read; its message is the reason of a `Refused`, without patient data."""

    code = "unreadable"


def check_size(rows: int, columns: int, frames: int = 1) -> None:
    """Raise UnreadableError where an image would be larger than the limits, or has no pixels at all."""
    if min(rows, columns, frames) < 1:
        raise UnreadableError(f"an image without pixels: {frames} frames of {rows} x {columns}")
    if rows * columns > MAX_PLANE_PIXELS:
        raise UnreadableError(f"too many pixels: {rows} x {columns}, {MAX_PLANE_PIXELS:,} are allowed")
    if rows * columns * frames > MAX_VOXELS:
        raise UnreadableError(
            f"too many pixels: {frames} frames of {rows} x {columns}, {MAX_VOXELS:,} are allowed"
        )
