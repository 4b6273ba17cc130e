"""De-identification of DICOM objects after the Basic Application Level Confidentiality Profile (PS3.15 Annex E).

What identifies the patient is removed, emptied or replaced, the same way for every object that is treated with
the same key: UIDs become others that still agree with each other, the patient gets a pseudonym, and all dates of a
patient move by the same number of days, so that intervals stay (option "Retain Longitudinal Temporal Information
with Modified Dates"). Times of day stay. Pixels are not touched: what may be burnt into them is reported by
`burnt_in`, not removed.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import secrets
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

from iatros.core.errors import RequestError
from iatros.imaging.deidentification_rules import (
    GENERIC,
    IDENTITY,
    MEANINGS,
    RULES,
    by_group,
    by_representation,
)
from iatros.imaging.sources.dicom_header import quiet
from iatros.version import __version__

_LEAST_DAYS, _MOST_DAYS = 365, 3650
_REGISTERED = "1.2.840.10008."
_DATE = re.compile(r"(\d{4})[.-]?(\d{2})[.-]?(\d{2})(.*)", re.DOTALL)
_TEXT = frozenset(("PN", "LO", "SH", "LT", "ST", "UT", "UC", "UR", "AE"))
_SWEPT = frozenset(("LO", "SH", "CS", "IS"))
_LEAST_WORD = 4
_BIT_POSITION = 0x0102
"""OverlayBitPosition, in any of the overlay groups."""
_PROBLEMS = (ValueError, TypeError, KeyError, NotImplementedError, AttributeError, OverflowError)
"""What pydicom raises where a value does not fit its representation."""


@dataclass(frozen=True)
class Keyed:
    """Replacements that follow from a secret: without it, nobody finds the original, with it all runs agree."""

    secret: bytes = field(repr=False)
    keep_dates: bool = False

    @staticmethod
    def of(key: str | None, *, keep_dates: bool = False) -> Keyed:
        """From a secret that a person gives, or a random one. A weak secret is made slow to guess (scrypt)."""
        if key is None:
            return Keyed(secrets.token_bytes(32), keep_dates)
        if not key.strip():
            raise RequestError("key is empty", hint="give a secret of several words, or leave it out")
        stretched = hashlib.scrypt(
            key.encode(), salt=b"iatros de-identification", n=2**14, r=8, p=1, dklen=32
        )
        return Keyed(stretched, keep_dates)

    def uid(self, original: str) -> str:
        """Another UID for `original`, under 2.25 (PS3.5 B.2)."""
        return f"2.25.{uuid.UUID(bytes=self._digest('uid', original)[:16], version=5).int}"

    def pseudonym(self, subject: str) -> str:
        """`ANON-` and 16 letters and digits."""
        return f"ANON-{self._digest('subject', subject).hex()[:16].upper()}"

    def days(self, subject: str) -> int:
        """By how many days the dates of `subject` move, -365 to -3650; 0 with `keep_dates`."""
        if self.keep_dates:
            return 0
        number = int.from_bytes(self._digest("days", subject)[:8], "big")
        return -(_LEAST_DAYS + number % (_MOST_DAYS - _LEAST_DAYS + 1))

    def _digest(self, kind: str, value: str) -> bytes:
        return hmac.new(self.secret, f"{kind}\n{value}".encode(), hashlib.sha256).digest()


@dataclass(frozen=True, order=True)
class Removal:
    """What was done to one attribute, never its value; `action` as in deidentification_rules."""

    tag: str
    keyword: str
    action: str


def deidentify(dataset: Any, keyed: Keyed) -> tuple[Any, tuple[Removal, ...]]:
    """A copy of `dataset` (pydicom, with or without pixels) without what identifies the patient, and what was changed.

    `dataset` itself stays as it is; pixels are shared, not copied. The copy says in its own attributes that and how
    it was de-identified.
    """
    subject = _text(dataset, "PatientID").strip() or _text(dataset, "StudyInstanceUID") or "unknown"
    with quiet():
        work = _Work(keyed, keyed.pseudonym(subject), keyed.days(subject), _identifying(dataset))
        clean = work.clean(dataset)
        clean.PatientID = clean.PatientName = work.pseudonym
        _state(clean, keyed)
        _rename_file(clean, dataset, keyed)
    return clean, tuple(sorted(work.removals))


def secret_of_environment() -> str | None:
    """IATROS_DEIDENTIFICATION_KEY, for actions whose request has no key; None where it is not set."""
    return os.environ.get("IATROS_DEIDENTIFICATION_KEY") or None


def removal_rows(removed: Mapping[Removal, int]) -> list[dict[str, Any]]:
    """What was done to each attribute and in how many objects, as plain values for a result."""
    return [
        {
            "tag": removal.tag,
            "keyword": removal.keyword,
            "action": removal.action,
            "meaning": MEANINGS[removal.action],
            "n": count,
        }
        for removal, count in sorted(removed.items())
    ]


def burnt_in(dataset: Any) -> str | None:
    """Why the pixels of an object may show who the patient is, in one line; None where nothing points to it."""
    said = str(dataset.get("BurnedInAnnotation") or "").upper()
    if said == "YES":
        return "BurnedInAnnotation is YES"
    if str(dataset.get("RecognizableVisualFeatures") or "").upper() == "YES":
        return "RecognizableVisualFeatures is YES"
    if any(element.tag.element == _BIT_POSITION and element.value for element in _overlays(dataset)):
        return "an overlay lies in unused bits of the pixels"
    if said == "NO":
        return None
    name = str(getattr(dataset.get("SOPClassUID"), "name", ""))
    if "Secondary Capture" in name or dataset.get("Modality") in ("US", "ES", "XC", "OT", "SC"):
        return "an ultrasound, photograph or secondary capture that does not say BurnedInAnnotation NO"
    return None


@dataclass
class _Work:
    """One object on its way: what applies to its patient, and what has been done so far."""

    keyed: Keyed
    pseudonym: str
    days: int
    words: frozenset[str]
    removals: set[Removal] = field(default_factory=set)

    def clean(self, dataset: Any) -> Any:
        """A new Dataset with what is left of `dataset`; raw elements are handed over unread."""
        from pydicom.dataset import Dataset

        made = Dataset()
        for tag in sorted(dataset.keys()):
            if tag.element == 0:
                continue  # a group length, which writing makes anew
            if by_group(tag.group) == "X":
                self._note(_group_name(tag), "", "X")
                continue
            keyword, vr = _keyword(tag), _representation(dataset, tag)
            action = RULES.get(keyword) or by_representation(vr or "UN")
            try:
                self._treat(made, dataset, tag, vr or "UN", action)
            except _PROBLEMS:  # what cannot be read cannot be judged
                self._note(_name(tag), keyword, "X")
        made.set_original_encoding(*dataset.original_encoding, dataset.original_character_set)
        return made

    def _treat(self, made: Any, dataset: Any, tag: Any, vr: str, action: str) -> None:
        keyword = _keyword(tag)
        if action in ("X", "Z", "D"):
            if action != "X":
                self._replace(made, tag, vr, keyword, action)
            if not (action == "Z" and dataset[tag].is_empty):
                self._note(_name(tag), keyword, action)
        elif vr == "SQ":
            from pydicom.dataelem import DataElement

            made.add(DataElement(tag, "SQ", [self.clean(item) for item in dataset[tag].value]))
        elif action == "U":
            self._map(made, dataset[tag], self._uid, "U")
        elif action == "C" and self.days:
            self._map(made, dataset[tag], self._shifted, "C")
        elif vr in _SWEPT and self._tells(dataset[tag].value):
            self._replace(made, tag, vr, keyword, "Z")
            self._note(_name(tag), keyword, "Z")
        else:
            made[tag] = dataset.get_item(tag)

    def _replace(self, made: Any, tag: Any, vr: str, keyword: str, action: str) -> None:
        from pydicom.dataelem import DataElement

        dummy = self.pseudonym if keyword in ("PatientID", "PatientName") else "REMOVED"
        empty: Any = [] if vr == "SQ" else ""
        made.add(DataElement(tag, vr, dummy if action == "D" else empty))

    def _map(self, made: Any, element: Any, change: Any, action: str) -> None:
        from pydicom.dataelem import DataElement

        values = element.value if element.VM > 1 else [element.value]
        changed = [change(str(value)) if value else "" for value in values]
        made.add(DataElement(element.tag, element.VR, changed if len(changed) > 1 else changed[0]))
        if changed != [str(value or "") for value in values]:
            self._note(_name(element.tag), element.keyword, action)

    def _uid(self, value: str) -> str:
        return value if value.startswith(_REGISTERED) else self.keyed.uid(value)

    def _shifted(self, value: str) -> str:
        """The date moved, its time kept; empty where the value is no date, because it could be anything."""
        found = _DATE.fullmatch(value.strip())
        if found is None:
            return ""
        year, month, day, rest = found.groups()
        try:
            moved = date(int(year), int(month), int(day)) + timedelta(days=self.days)
        except (ValueError, OverflowError):
            return ""
        return f"{moved:%Y%m%d}{rest}" if re.fullmatch(r"[\d.+-]*", rest) else ""

    def _tells(self, value: Any) -> bool:
        """Whether a text that would be kept repeats a name or number of the patient."""
        if not self.words or value is None:
            return False
        values = [value] if isinstance(value, (str, int)) else value
        return any(self.words & _words(str(one)) for one in values)

    def _note(self, tag: str, keyword: str, action: str) -> None:
        self.removals.add(Removal(tag, keyword, action))


def _identifying(dataset: Any) -> frozenset[str]:
    """The words of names and numbers that stand for a person or hospital, at any depth."""
    words: set[str] = set()
    for tag in dataset.keys():  # noqa: SIM118 - items would be read at once, and one may be broken
        if tag.group % 2:
            continue
        vr = _representation(dataset, tag)
        if vr != "SQ" and vr != "PN" and _keyword(tag) not in IDENTITY:
            continue
        try:
            value = dataset[tag].value
        except _PROBLEMS:
            continue
        if vr == "SQ":
            words = words.union(*(_identifying(item) for item in value))
        elif value:
            many = value if dataset[tag].VM > 1 else [value]
            found = frozenset[str]().union(*(_words(str(one)) for one in many))
            words |= found if vr == "PN" else found - GENERIC
    return frozenset(words)


def _words(text: str) -> frozenset[str]:
    """The words of `text` and the whole of it, folded, at least four characters long."""
    folded = text.strip().casefold()
    parts = [folded, *re.split(r"[^\w-]+", folded), *re.split(r"[\W_]+", folded)]
    return frozenset(part for part in parts if len(part) >= _LEAST_WORD)


def _representation(dataset: Any, tag: Any) -> str | None:
    """The VR of an element without reading it; None where it is unknown or says it is text and should be none."""
    from pydicom.datadict import dictionary_VR

    stored = dataset.get_item(tag).VR
    try:
        known = dictionary_VR(tag)
    except KeyError:
        return None
    if stored in (None, "UN") or " or " in known:
        return known if " or " not in known or stored in (None, "UN") else stored
    return None if stored in _TEXT and known not in _TEXT else stored


def _state(clean: Any, keyed: Keyed) -> None:
    """Say in the object that and how it was de-identified (PS3.3 C.7.1.1, CID 7050)."""
    from pydicom.dataset import Dataset

    clean.PatientIdentityRemoved = "YES"
    clean.DeidentificationMethod = [f"iatros {__version__}", "PS3.15 Basic Profile"]
    codes = [("113100", "Basic Application Confidentiality Profile")]
    if keyed.keep_dates:
        codes.append(("113106", "Retain Longitudinal Temporal Information Full Dates Option"))
    else:
        codes.append(("113107", "Retain Longitudinal Temporal Information Modified Dates Option"))
    clean.LongitudinalTemporalInformationModified = "UNMODIFIED" if keyed.keep_dates else "MODIFIED"
    items = []
    for value, meaning in codes:
        item = Dataset()
        item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, "DCM", meaning
        items.append(item)
    clean.DeidentificationMethodCodeSequence = items


def _rename_file(clean: Any, dataset: Any, keyed: Keyed) -> None:
    """File meta information anew: the syntax stays, the instance gets its new UID, who wrote the file is left out."""
    from pydicom.dataset import FileMetaDataset
    from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

    before = getattr(dataset, "file_meta", None) or FileMetaDataset()
    meta = FileMetaDataset()
    implicit, little = dataset.original_encoding
    bare = ExplicitVRLittleEndian if little or little is None else ExplicitVRBigEndian
    meta.TransferSyntaxUID = before.get("TransferSyntaxUID") or (ImplicitVRLittleEndian if implicit else bare)
    for keyword in ("SOPClassUID", "SOPInstanceUID"):
        value = clean.get(keyword) or before.get(f"MediaStorage{keyword}")
        if value:
            new = keyword == "SOPInstanceUID" and keyword not in clean
            setattr(meta, f"MediaStorage{keyword}", keyed.uid(str(value)) if new else value)
    clean.file_meta = meta
    clean.preamble = bytes(128)


def _overlays(dataset: Any) -> list[Any]:
    return [dataset[tag] for tag in dataset.keys() if tag.group & 0xFF00 == 0x6000]  # noqa: SIM118


def _text(dataset: Any, keyword: str) -> str:
    return str(dataset.get(keyword) or "")


def _keyword(tag: Any) -> str:
    from pydicom.datadict import keyword_for_tag

    return keyword_for_tag(tag)


def _name(tag: Any) -> str:
    return f"({tag.group:04X},{tag.element:04X})"


def _group_name(tag: Any) -> str:
    if tag.group % 2:
        return f"({tag.group:04X},xxxx)"
    return f"({tag.group >> 8:02X}xx,xxxx)" if tag.group >= 0x5000 else _name(tag)
