"""Codes: those of DICOM and SNOMED CT where they exist, and a scheme of our own for what a model was trained to say."""

from __future__ import annotations

import hashlib
import re
from typing import Any

SCHEME = "99IATROS"
SCHEME_NAME = "Targets, classes and remarks of iatros bundles"

_PROCEDURES = {
    "CT": ("77477000", "Computed tomography"),
    "MR": ("113091000", "Magnetic resonance imaging"),
    "US": ("16310003", "Ultrasonography"),
    "CR": ("168537006", "Plain radiography"),
    "DX": ("168537006", "Plain radiography"),
    "MG": ("71651007", "Mammography"),
}


def own(name: str) -> Any:
    """The code of `name` in our own scheme: readable, at most 16 characters (SH), another for every name.

    >>> own("pneumonia").value
    'pneumonia'
    """
    from pydicom.sr.coding import Code

    return Code(code_value(name), SCHEME, name[:64])


def code_value(name: str) -> str:
    """`name` as a code value; cut and made unique by a hash where it has more than 16 characters or unusual ones.

    >>> code_value("malignant lesion of the left breast")
    'malignant-27e5a2'
    """
    slug = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
    if slug == name and len(slug) <= 16:
        return slug
    digest = hashlib.sha256(name.encode()).hexdigest()[:6]
    return f"{slug[:9].rstrip('-') or 'x'}-{digest}"


def procedure(modality: str | None) -> Any:
    """The SNOMED CT code of the imaging procedure that a modality stands for."""
    from pydicom.sr.coding import Code

    value, meaning = _PROCEDURES.get(modality or "", ("363679005", "Imaging procedure"))
    return Code(value, "SCT", meaning)


def scheme() -> Any:
    """The item that declares our own scheme in an object."""
    from highdicom.coding_schemes import CodingSchemeIdentificationItem

    return CodingSchemeIdentificationItem(
        designator=SCHEME, name=SCHEME_NAME, responsible_organization="iatros"
    )
