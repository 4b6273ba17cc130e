"""Leakage in images: copies, contradicting labels, and what is told without looking at the patient."""

from __future__ import annotations

from iatros.imaging.leakage.audit import ImageAudit, audit_images, check_sides
from iatros.imaging.leakage.baselines import border_baseline, metadata_baseline
from iatros.imaging.leakage.thumbnails import thumbnails

__all__ = [
    "ImageAudit",
    "audit_images",
    "border_baseline",
    "check_sides",
    "metadata_baseline",
    "thumbnails",
]
